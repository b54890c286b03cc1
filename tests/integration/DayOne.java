// java.net.http as it comes: it is told of neither a proxy nor a trust store.
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

public class DayOne {
    public static void main(String[] a) throws Exception {
        var body = HttpRequest.BodyPublishers.ofString("x".repeat(70000));
        var request = HttpRequest.newBuilder(URI.create(a[0])).POST(body).build();
        System.out.println(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body());
    }
}
