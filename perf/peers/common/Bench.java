package peers;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.io.PrintWriter;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * One run: starts the job, warms up, measures windows, stops the sources and says what came out.
 *
 * Everything is in one process, so tasks report through what is static here.
 */
public final class Bench {
    /** Of sources and stages; the machines have two cores. */
    public static final int TASKS = Integer.getInteger("tasks", 2);

    private static final String WORKLOAD = System.getProperty("workload");
    private static final List<Counter> PROCESSED = new CopyOnWriteArrayList<>();
    private static final List<Counter> SUMS = new CopyOnWriteArrayList<>();
    private static final Map<String, Long> COUNTS = new ConcurrentHashMap<>();

    private Bench() {}

    /** A number that one task writes and the main thread reads, alone on its cache lines. */
    public static final class Counter {
        private static final VarHandle CELL = MethodHandles.arrayElementVarHandle(long[].class);
        private static final int PLACE = 16;
        private final long[] cells = new long[2 * PLACE];

        private Counter(List<Counter> all) {
            all.add(this);
        }

        public void add(long amount) {
            CELL.setOpaque(cells, PLACE, cells[PLACE] + amount);
        }

        private long get() {
            return (long) CELL.getOpaque(cells, PLACE);
        }
    }

    /** A peer's way to start the workload, and to wait until all is done that its sources sent. */
    public interface Job {
        void start() throws Exception;

        void finish() throws Exception;
    }

    /** Whether this run's workload is one of that kind: b3 is b3-storm and b3-kjv. */
    public static boolean is(String kind) {
        return WORKLOAD.equals(kind) || WORKLOAD.startsWith(kind + "-");
    }

    public static boolean isHop() {
        return WORKLOAD.equals("b1-hop");
    }

    /** Counts what the workload is measured in: messages, words or events. */
    public static Counter processed() {
        return new Counter(PROCESSED);
    }

    /** Adds up the numbers that reached the sink of b1. */
    public static Counter sum() {
        return new Counter(SUMS);
    }

    public static long total() {
        return total(PROCESSED);
    }

    /** A part of the workload's result. */
    public static void result(String key, long count) {
        COUNTS.merge(key, count, Long::sum);
    }

    /** Runs the workload and ends the process, with 1 if that failed. */
    public static void run(Job job) {
        int status = 1;
        try {
            measure(job);
            status = 0;
        } catch (Exception e) {
            e.printStackTrace();
        }
        System.out.flush();
        Runtime.getRuntime().halt(status);
    }

    private static void measure(Job job) throws Exception {
        Data.load();
        job.start();
        while (total() == 0) {
            Thread.sleep(1);
        }
        long firstMs = System.currentTimeMillis();
        Thread.sleep(Long.getLong("warm_ms", 15_000));
        int windows = Integer.getInteger("windows", 3);
        long[] items = new long[windows + 1];
        long[] timeNs = new long[windows + 1];
        long[] cpuNs = new long[windows + 1];
        for (int i = 0; i <= windows; i++) {
            items[i] = total();
            timeNs[i] = System.nanoTime();
            cpuNs[i] = cpuNs();
            if (i < windows) {
                Thread.sleep(Long.getLong("window_ms", 5_000));
            }
        }
        long rssBytes = rssBytes();
        Feed.stop();
        job.finish();
        if (is("b1")) {
            result("sum", total(SUMS));
        }
        writeCounts(Path.of(System.getProperty("counts")));
        StringBuilder rates = new StringBuilder();
        for (int i = 0; i < windows; i++) {
            double seconds = (timeNs[i + 1] - timeNs[i]) / 1e9;
            rates.append(i > 0 ? ", " : "")
                    .append(Math.round((items[i + 1] - items[i]) / seconds));
        }
        long measured = items[windows] - items[0];
        System.out.printf("{\"items\": %d, \"seconds\": %.3f, \"windows\": [%s], \"passes\": %d, "
                        + "\"total\": %d, \"cpu_ns_per_message\": %.1f, \"rss_bytes\": %d, "
                        + "\"start_seconds\": %.3f}%n",
                measured, (timeNs[windows] - timeNs[0]) / 1e9, rates, Feed.passes(), total(),
                (double) (cpuNs[windows] - cpuNs[0]) / measured, rssBytes,
                (firstMs - Long.getLong("launched_ms")) / 1e3);
    }

    private static long total(List<Counter> counters) {
        return counters.stream().mapToLong(Counter::get).sum();
    }

    private static long cpuNs() {
        return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
                .getProcessCpuTime();
    }

    private static long rssBytes() throws IOException {
        return Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith("VmHWM:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024)
                .findFirst().orElse(0);
    }

    private static void writeCounts(Path path) throws IOException {
        try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(path))) {
            COUNTS.forEach((key, count) -> out.printf("%s\t%d%n", key, count));
        }
    }
}
