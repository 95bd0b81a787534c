package peers;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What the sources send, the same for every peer: numbers, keys, lines and events. */
public final class Data {
    /** Bytes of a message of b1 and b2 with its number or key. */
    public static final int MESSAGE_BYTES = 64;
    public static final long WINDOW_MS = 10_000;
    public static final long LATE_MS = 100;

    /** b1 counts nothing, so that its pass may be short. */
    private static final int NUMBERS = Bench.is("b2") ? 1 << 22 : 1 << 18;
    private static final int KEYS = 1_000_000;
    private static final JsonFactory JSON = new JsonFactory();

    private static String[] lines;
    private static byte[][] events;
    private static long spanMs;
    private static Map<String, String> campaigns;
    private static int items = NUMBERS;

    private Data() {}

    /** How many items one pass has. */
    public static int items() {
        return items;
    }

    public static void load() throws IOException {
        if (Bench.is("b3")) {
            loadLines(Path.of(System.getProperty("text")));
        } else if (Bench.is("b4")) {
            loadCampaigns(Path.of(System.getProperty("ads")));
            loadEvents(Path.of(System.getProperty("text")));
        }
    }

    /** The key of message i: what the generate node with `keys: {kind: uniform}` draws for it. */
    public static long key(int i) {
        long bits = (1 ^ 0x6b6579L) + (i + 1) * 0x9e3779b97f4a7c15L;
        bits = (bits ^ bits >>> 30) * 0xbf58476d1ce4e5b9L;
        bits = (bits ^ bits >>> 27) * 0x94d049bb133111ebL;
        bits ^= bits >>> 31;
        return (bits >>> 32) * KEYS >>> 32;
    }

    public static String line(int i) {
        return lines[i];
    }

    /** An event; times go on from one pass to the next by a shift, so no text is copied. */
    public record Event(byte[] text, long shiftMs) implements Serializable {}

    public static Event event(int i, long pass) {
        return new Event(events[i], pass * spanMs);
    }

    /** What is left of an event after filtering, projecting and joining. */
    public record View(String campaign, long timeMs) implements Serializable {}

    /** The whole event is parsed, with what Jackson has for speed; null: not a view. */
    public static View view(Event event) {
        String ad = null;
        String type = null;
        String time = null;
        try (JsonParser parser = JSON.createParser(event.text())) {
            parser.nextToken();
            for (String name; (name = parser.nextFieldName()) != null; ) {
                switch (name) {
                    case "ad_id" -> ad = parser.nextTextValue();
                    case "event_type" -> type = parser.nextTextValue();
                    case "event_time" -> time = parser.nextTextValue();
                    default -> parser.nextToken();
                }
            }
            if (parser.currentToken() != JsonToken.END_OBJECT) {
                throw new IOException("not an object");
            }
        } catch (IOException e) {
            throw new IllegalArgumentException(e);
        }
        return "view".equals(type)
                ? new View(campaigns.get(ad), Long.parseLong(time) + event.shiftMs()) : null;
    }

    /** The name under which a view is counted: its campaign, and its window within the pass. */
    public static String cell(String campaign, long windowStartMs) {
        return campaign + "@" + Math.floorMod(windowStartMs, spanMs) / WINDOW_MS;
    }

    /** Equal lines are one object, as memory is not what is measured. */
    private static void loadLines(Path path) throws IOException {
        Map<String, String> same = new HashMap<>();
        lines = Files.readAllLines(path, StandardCharsets.ISO_8859_1).stream()
                .map(line -> same.computeIfAbsent(line, key -> key)).toArray(String[]::new);
        items = lines.length;
    }

    private static void loadCampaigns(Path path) throws IOException {
        campaigns = new HashMap<>();
        for (String line : Files.readAllLines(path)) {
            String[] fields = line.split(",");
            campaigns.put(fields[0], fields[1]);
        }
    }

    private static void loadEvents(Path path) throws IOException {
        List<String> text = Files.readAllLines(path, StandardCharsets.ISO_8859_1);
        items = text.size();
        events = new byte[items][];
        long first = Long.MAX_VALUE;
        long end = 0;
        for (int i = 0; i < items; i++) {
            String line = text.get(i);
            events[i] = line.getBytes(StandardCharsets.ISO_8859_1);
            int at = line.indexOf('"', line.indexOf(':', line.indexOf("\"event_time\""))) + 1;
            long time = Long.parseLong(line.substring(at, line.indexOf('"', at)));
            first = Math.min(first, time + LATE_MS);
            end = Math.max(end, time);
        }
        spanMs = (end / WINDOW_MS + 1 - first / WINDOW_MS) * WINDOW_MS;
    }
}
