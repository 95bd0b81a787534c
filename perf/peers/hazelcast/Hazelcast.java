package peers;

import com.hazelcast.config.Config;
import com.hazelcast.core.HazelcastInstance;
import com.hazelcast.jet.Job;
import com.hazelcast.jet.Traverser;
import com.hazelcast.jet.Traversers;
import com.hazelcast.jet.Util;
import com.hazelcast.jet.aggregate.AggregateOperations;
import com.hazelcast.jet.config.JobConfig;
import com.hazelcast.jet.config.ProcessingGuarantee;
import com.hazelcast.jet.core.AbstractProcessor;
import com.hazelcast.jet.core.BroadcastKey;
import com.hazelcast.jet.core.DAG;
import com.hazelcast.jet.core.Edge;
import com.hazelcast.jet.core.Partitioner;
import com.hazelcast.jet.core.ProcessorMetaSupplier;
import com.hazelcast.jet.core.Vertex;
import com.hazelcast.jet.core.processor.Processors;
import com.hazelcast.jet.pipeline.Pipeline;
import com.hazelcast.jet.pipeline.Sinks;
import com.hazelcast.jet.pipeline.Sources;
import com.hazelcast.jet.pipeline.WindowDefinition;
import java.io.Serializable;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * The workloads on Hazelcast Jet: two cooperative threads, at-least-once snapshots. Those without
 * event time are written against its core API, which may partition by hashCode: the pipeline API
 * serialises every key for that.
 */
public final class Hazelcast {
    private static final boolean TEXT = Bench.is("b3");
    private static final boolean EVENTS = Bench.is("b4");
    private static final boolean KEYS = Bench.is("b2");
    private static final byte[] PADDING = new byte[Data.MESSAGE_BYTES - Long.BYTES];

    private Hazelcast() {}

    /** A message of b1 and b2: tasks hand over references, so each is an object of its own. */
    record Message(long number, byte[] padding) implements Serializable {}

    static final class Source extends AbstractProcessor {
        private Feed feed;
        private Object pending;
        private int task;

        @Override
        protected void init(Context context) {
            task = context.globalProcessorIndex();
            feed = new Feed(task, context.totalParallelism());
        }

        @Override
        public boolean complete() {
            for (;;) {
                if (pending == null) {
                    int i = feed.next();
                    if (i < 0) {
                        return true;
                    }
                    pending = item(i);
                }
                if (!tryEmit(pending)) {
                    return false;
                }
                pending = null;
            }
        }

        private Object item(int i) {
            if (TEXT) {
                return Data.line(i);
            } else if (EVENTS) {
                return Data.event(i, feed.pass());
            }
            return new Message(KEYS ? Data.key(i) : i, PADDING);
        }

        @Override
        public boolean saveToSnapshot() {
            return tryEmitToSnapshot(BroadcastKey.broadcastKey(task), feed.position());
        }

        @Override
        protected void restoreFromSnapshot(Object key, Object position) {
            if (((BroadcastKey<?>) key).key().equals(task)) {
                feed.restore((Long) position);
            }
        }
    }

    /** b1: the end. */
    static final class Sink extends AbstractProcessor {
        private final Bench.Counter processed = Bench.processed();
        private final Bench.Counter sum = Bench.sum();

        @Override
        protected boolean tryProcess(int ordinal, Object message) {
            sum.add(((Message) message).number());
            processed.add(1);
            return true;
        }
    }

    /** b2 and b3: counts by key. */
    static final class Count extends AbstractProcessor {
        private final Bench.Counter processed = Bench.processed();
        private final Map<Object, long[]> counts = new HashMap<>();
        private Traverser<Map.Entry<Object, Long>> snapshot;

        @Override
        protected boolean tryProcess(int ordinal, Object item) {
            Object key = KEYS ? (Object) ((Message) item).number() : item;
            counts.computeIfAbsent(key, unused -> new long[1])[0]++;
            processed.add(1);
            return true;
        }

        @Override
        public boolean saveToSnapshot() {
            if (snapshot == null) {
                snapshot = Traversers.traverseIterable(counts.entrySet())
                        .map(entry -> Util.entry(entry.getKey(), entry.getValue()[0]))
                        .onFirstNull(() -> snapshot = null);
            }
            return emitFromTraverserToSnapshot(snapshot);
        }

        @Override
        protected void restoreFromSnapshot(Object key, Object count) {
            counts.put(key, new long[] {(Long) count});
        }

        @Override
        public boolean complete() {
            counts.forEach((key, count) -> Bench.result(key.toString(), count[0]));
            return true;
        }
    }

    private static Traverser<String> split(String line) {
        return new Traverser<>() {
            private int at;

            @Override
            public String next() {
                while (at < line.length()) {
                    int begin = at;
                    int end = line.indexOf(' ', begin);
                    end = end < 0 ? line.length() : end;
                    at = end + 1;
                    if (end > begin) {
                        return line.substring(begin, end);
                    }
                }
                return null;
            }
        };
    }

    private static DAG dag() {
        DAG dag = new DAG();
        Vertex items = dag.newVertex("items", Source::new);
        if (KEYS) {
            Vertex count = dag.newVertex("count", Count::new);
            dag.edge(Edge.between(items, count)
                    .partitioned(Message::number, Partitioner.HASH_CODE));
        } else if (TEXT) {
            Vertex words = dag.newVertex("words", Processors.flatMapP(Hazelcast::split));
            Vertex count = dag.newVertex("count", Count::new);
            dag.edge(Edge.between(items, words).isolated());
            dag.edge(Edge.between(words, count)
                    .partitioned(word -> word, Partitioner.HASH_CODE));
        } else {
            Vertex same = dag.newVertex("same", Processors.mapP(message -> message));
            Vertex sink = dag.newVertex("sink", Sink::new);
            Edge first = Edge.between(items, same);
            Edge second = Edge.between(same, sink);
            dag.edge(Bench.isHop() ? first : first.isolated());
            dag.edge(Bench.isHop() ? second : second.isolated());
        }
        dag.forEach(vertex -> vertex.localParallelism(Bench.TASKS));
        return dag;
    }

    /** b4: parses, filters, projects, joins, and counts in windows of event time. */
    private static Pipeline events() {
        Pipeline pipeline = Pipeline.create();
        pipeline.setPreserveOrder(true);
        pipeline.readFrom(Sources.<Data.Event>streamFromProcessor("items",
                        ProcessorMetaSupplier.of(Bench.TASKS, Source::new)))
                .withoutTimestamps().setLocalParallelism(Bench.TASKS)
                .map(Views::view).setLocalParallelism(Bench.TASKS)
                .addTimestamps(Data.View::timeMs, Data.LATE_MS)
                .groupingKey(Data.View::campaign)
                .window(WindowDefinition.tumbling(Data.WINDOW_MS))
                .aggregate(AggregateOperations.counting())
                .writeTo(Sinks.fromProcessor("report", ProcessorMetaSupplier.of(1, Report::new)));
        return pipeline;
    }

    /** What counts the events, one counter for each of Jet's threads. */
    static final class Views {
        private static final ThreadLocal<Bench.Counter> PROCESSED =
                ThreadLocal.withInitial(Bench::processed);

        static Data.View view(Data.Event event) {
            PROCESSED.get().add(1);
            return Data.view(event);
        }
    }

    static final class Report extends AbstractProcessor {
        @Override
        @SuppressWarnings("unchecked")
        protected boolean tryProcess(int ordinal, Object item) {
            var window = (com.hazelcast.jet.datamodel.KeyedWindowResult<String, Long>) item;
            Bench.result(Data.cell(window.key(), window.start()), window.result());
            return true;
        }
    }

    private static Config config() {
        Config config = new Config();
        config.setProperty("hazelcast.logging.type", "none");
        config.setProperty("hazelcast.phone.home.enabled", "false");
        config.getJetConfig().setEnabled(true).setCooperativeThreadCount(Bench.TASKS);
        config.getNetworkConfig().setPort(0).getJoin().getMulticastConfig().setEnabled(false);
        config.getNetworkConfig().getJoin().getAutoDetectionConfig().setEnabled(false);
        config.getNetworkConfig().getInterfaces().setEnabled(true).addInterface("127.0.0.1");
        return config;
    }

    public static void main(String[] args) throws Exception {
        Bench.run(new Bench.Job() {
            private HazelcastInstance instance;
            private Job job;

            @Override
            public void start() {
                instance = com.hazelcast.core.Hazelcast.newHazelcastInstance(config());
                JobConfig settings = new JobConfig()
                        .setProcessingGuarantee(ProcessingGuarantee.AT_LEAST_ONCE)
                        .setSnapshotIntervalMillis(TimeUnit.SECONDS.toMillis(
                                Bench.is("b1") ? 1 : 10));
                job = EVENTS ? instance.getJet().newJob(events(), settings)
                        : instance.getJet().newJob(dag(), settings);
            }

            @Override
            public void finish() {
                job.join();
                instance.shutdown();
            }
        });
    }
}
