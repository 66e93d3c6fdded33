import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;

public class Receiver extends HttpServlet {
    private static final Path ARRIVALS = Path.of(System.getenv("ARRIVALS"));
    private static final Pattern ID = Pattern.compile("\"data\"\\s*:\\s*\\{[^{}]*?\"id\"\\s*:\\s*\"(\\d+)\"");

    @Override
    protected void doPost(HttpServletRequest request, HttpServletResponse response) throws IOException {
        byte[] body = request.getInputStream().readAllBytes();
        Matcher id = ID.matcher(new String(body, StandardCharsets.UTF_8));
        if (body.length != request.getContentLength() || !id.find())
            throw new IOException("no document");
        Files.writeString(ARRIVALS, id.group(1) + " " + sha256(body) + "\n", StandardOpenOption.APPEND);
        response.setContentType("application/json");
        response.getWriter().write("{\"status\":\"success\"}");
    }

    private static String sha256(byte[] body) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(body));
        } catch (java.security.NoSuchAlgorithmException impossible) {
            throw new AssertionError(impossible);
        }
    }

    public static void main(String[] args) throws Exception {
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(args[0]);
        tomcat.setPort(Integer.parseInt(System.getenv("PORT")));
        Connector connector = tomcat.getConnector();
        connector.setProperty("keepAliveTimeout", System.getenv("IDLE_MS"));
        Context context = tomcat.addContext("", args[0]);
        context.setParentClassLoader(Receiver.class.getClassLoader());
        Tomcat.addServlet(context, "receiver", new Receiver()).addMapping("/webhooks");
        tomcat.start();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                connector.getProtocolHandler().closeServerSocketGraceful();
                tomcat.stop();
            } catch (Exception failure) {
                failure.printStackTrace();
            }
        }));
        tomcat.getServer().await();
    }
}
