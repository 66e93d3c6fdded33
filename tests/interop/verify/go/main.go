// Each folder below the current one is a push. Prints "PACKAGE PUSH accepted" or "PACKAGE PUSH refused: why".
package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	for _, push := range must(os.ReadDir(".")) {
		headers := http.Header{}
		var secret string
		var body []byte
		for _, part := range must(os.ReadDir(push.Name())) {
			text := must(os.ReadFile(filepath.Join(push.Name(), part.Name())))
			switch part.Name() {
			case "secret":
				secret = string(text)
			case "body":
				body = text
			default:
				headers.Set(part.Name(), string(text))
			}
		}
		if err := must(standardwebhooks.NewWebhook(secret)).Verify(body, headers); err != nil {
			fmt.Println("standardwebhooks", push.Name(), "refused:", err)
		} else {
			fmt.Println("standardwebhooks", push.Name(), "accepted")
		}
	}
}
