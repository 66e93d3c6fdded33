// Its answer has all that HTTP/1.1 allows: an interim answer, chunks and a trailer.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

type document struct {
	Data struct {
		ID string `json:"id"`
	} `json:"data"`
}

func main() {
	notes, err := os.OpenFile(os.Getenv("ARRIVALS"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		log.Fatal(err)
	}
	idle, _ := strconv.Atoi(os.Getenv("IDLE_MS"))
	server := &http.Server{Addr: ":" + os.Getenv("PORT"), IdleTimeout: time.Duration(idle) * time.Millisecond}
	http.HandleFunc("/webhooks", func(w http.ResponseWriter, r *http.Request) {
		var event document
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &event)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintf(notes, "%s %x\n", event.Data.ID, sha256.Sum256(body))
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Trailer", "X-Done")
		io.WriteString(w, `{"status":`)
		w.(http.Flusher).Flush() // so it is chunked
		io.WriteString(w, `"success"}`)
		w.Header().Set("X-Done", "yes")
	})
	stop := make(chan os.Signal, 1)
	stopped := make(chan struct{})
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		server.Shutdown(context.Background())
		close(stopped)
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	<-stopped
}
