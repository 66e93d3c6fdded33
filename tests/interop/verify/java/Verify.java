// Each folder below the current one is a push. Prints "PACKAGE PUSH accepted" or "PACKAGE PUSH refused: why".
import com.standardwebhooks.Webhook;
import com.standardwebhooks.exceptions.WebhookVerificationException;
import java.io.File;
import java.net.http.HttpHeaders;
import java.nio.file.Files;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

class Verify {
    public static void main(String[] args) throws Exception {
        for (File push : new File(".").listFiles()) {
            Map<String, String> parts = new HashMap<>();
            for (File part : push.listFiles()) {
                parts.put(part.getName(), Files.readString(part.toPath()));
            }
            String secret = parts.remove("secret"), body = parts.remove("body");
            Map<String, List<String>> headers = new HashMap<>();
            parts.forEach((name, value) -> headers.put(name, List.of(value)));
            try {
                new Webhook(secret).verify(body, HttpHeaders.of(headers, (name, value) -> true));
                System.out.println("standardwebhooks " + push.getName() + " accepted");
            } catch (WebhookVerificationException error) {
                System.out.println("standardwebhooks " + push.getName() + " refused: " + error.getMessage());
            }
        }
    }
}
