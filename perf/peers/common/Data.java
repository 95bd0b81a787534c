package peers;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
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

    private static final int NUMBERS = 1 << 22;
    private static final int KEYS = 1_000_000;
    private static final int TIME_DIGITS = 13;
    private static final JsonFactory JSON = new JsonFactory();

    private static String[] lines;
    private static byte[][] events;
    private static int[] timeAt;
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

    /** Event i as a new array; its time goes on from one pass to the next. */
    public static byte[] event(int i, long pass) {
        byte[] event = events[i].clone();
        long time = number(event, timeAt[i]) + pass * spanMs;
        for (int digit = TIME_DIGITS - 1; digit >= 0; digit--, time /= 10) {
            event[timeAt[i] + digit] = (byte) ('0' + time % 10);
        }
        return event;
    }

    /** What is left of an event after filtering, projecting and joining. */
    public record View(String campaign, long timeMs) {}

    /** The whole event is parsed, with what Jackson has for speed; null: not a view. */
    public static View view(byte[] event) {
        String ad = null;
        String type = null;
        String time = null;
        try (JsonParser parser = JSON.createParser(event)) {
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
        return "view".equals(type) ? new View(campaigns.get(ad), Long.parseLong(time)) : null;
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
        timeAt = new int[items];
        long first = Long.MAX_VALUE;
        long end = 0;
        for (int i = 0; i < items; i++) {
            String line = text.get(i);
            events[i] = line.getBytes(StandardCharsets.ISO_8859_1);
            timeAt[i] = line.indexOf('"', line.indexOf(':', line.indexOf("\"event_time\""))) + 1;
            long time = number(events[i], timeAt[i]);
            first = Math.min(first, time + LATE_MS);
            end = Math.max(end, time);
        }
        spanMs = (end / WINDOW_MS + 1 - first / WINDOW_MS) * WINDOW_MS;
    }

    private static long number(byte[] text, int at) {
        long number = 0;
        for (int digit = 0; digit < TIME_DIGITS; digit++) {
            number = number * 10 + text[at + digit] - '0';
        }
        return number;
    }
}
