package peers;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.storm.Config;
import org.apache.storm.LocalCluster;
import org.apache.storm.spout.SpoutOutputCollector;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.topology.base.BaseRichBolt;
import org.apache.storm.topology.base.BaseRichSpout;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;

/** The workloads on Storm, one worker tuned as its documentation says; -Dacks=false: no acks. */
public final class Storm {
    private static final boolean ACKS = Boolean.parseBoolean(System.getProperty("acks", "true"));
    private static final boolean KEYS = Bench.is("b2");
    private static final boolean TEXT = Bench.is("b3");
    private static final boolean EVENTS = Bench.is("b4");
    private static final byte[] PADDING = new byte[Data.MESSAGE_BYTES - Long.BYTES];
    private static final int DRAIN_SECONDS = 120;
    private static final AtomicLong ENDED_SPOUTS = new AtomicLong();
    private static final List<Spout> SPOUTS = new ArrayList<>();
    private static final List<Map<Object, long[]>> TABLES = new ArrayList<>();

    private Storm() {}

    /** Emits one item a call; with acks, each has an id. */
    public static final class Spout extends BaseRichSpout {
        private transient SpoutOutputCollector collector;
        private transient Feed feed;
        private transient Long next;
        private transient boolean ended;
        private transient volatile long open;
        private transient volatile long failed;

        @Override
        public void open(Map<String, Object> conf, TopologyContext context,
                SpoutOutputCollector out) {
            collector = out;
            next = 0L;
            feed = new Feed(context.getThisTaskIndex(),
                    context.getComponentTasks(context.getThisComponentId()).size());
            synchronized (SPOUTS) {
                SPOUTS.add(this);
            }
        }

        @Override
        public void nextTuple() {
            int i = ended ? -1 : feed.next();
            if (i < 0) {
                if (!ended) {
                    ended = true;
                    ENDED_SPOUTS.incrementAndGet();
                }
                return;
            }
            Values values = item(i);
            if (ACKS) {
                open++;
                collector.emit(values, next++);
            } else {
                collector.emit(values);
            }
        }

        private Values item(int i) {
            if (TEXT) {
                return new Values(Data.line(i));
            } else if (EVENTS) {
                return new Values(Data.event(i, feed.pass()));
            }
            return new Values(KEYS ? Data.key(i) : (long) i, PADDING);
        }

        @Override
        public void ack(Object id) {
            open--;
        }

        @Override
        public void fail(Object id) {
            failed++;
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer declarer) {
            declarer.declare(TEXT || EVENTS ? new Fields("text") : new Fields("key", "padding"));
        }
    }

    /** What all bolts have in common. */
    public abstract static class Bolt extends BaseRichBolt {
        protected transient OutputCollector collector;
        protected transient Bench.Counter processed;
        private final String[] fields;

        protected Bolt(String... fields) {
            this.fields = fields;
        }

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context,
                OutputCollector out) {
            collector = out;
        }

        @Override
        public void execute(Tuple tuple) {
            process(tuple);
            if (ACKS) {
                collector.ack(tuple);
            }
        }

        protected void emit(Tuple anchor, Values values) {
            if (ACKS) {
                collector.emit(anchor, values);
            } else {
                collector.emit(values);
            }
        }

        protected abstract void process(Tuple tuple);

        @Override
        public void declareOutputFields(OutputFieldsDeclarer declarer) {
            declarer.declare(new Fields(fields));
        }
    }

    /** b1: passes on. */
    public static final class Identity extends Bolt {
        public Identity() {
            super("key", "padding");
        }

        @Override
        protected void process(Tuple tuple) {
            emit(tuple, new Values(tuple.getValue(0), tuple.getValue(1)));
        }
    }

    /** b1: the end. */
    public static final class Sink extends Bolt {
        private transient Bench.Counter sum;

        @Override
        protected void process(Tuple tuple) {
            if (sum == null) {
                sum = Bench.sum();
                processed = Bench.processed();
            }
            sum.add((Long) tuple.getValue(0));
            processed.add(1);
        }
    }

    /** b3: one tuple for each word of a line. */
    public static final class Split extends Bolt {
        public Split() {
            super("key");
        }

        @Override
        protected void process(Tuple tuple) {
            String line = (String) tuple.getValue(0);
            for (int at = 0, end; at < line.length(); at = end + 1) {
                end = line.indexOf(' ', at);
                end = end < 0 ? line.length() : end;
                if (end > at) {
                    emit(tuple, new Values(line.substring(at, end)));
                }
            }
        }
    }

    /** b4: parses, filters, projects and joins. */
    public static final class Parse extends Bolt {
        public Parse() {
            super("key", "time");
        }

        @Override
        protected void process(Tuple tuple) {
            processed = processed == null ? Bench.processed() : processed;
            processed.add(1);
            Data.View view = Data.view((Data.Event) tuple.getValue(0));
            if (view != null) {
                emit(tuple, new Values(view.campaign(), view.timeMs()));
            }
        }
    }

    /** b2 and b3: counts by key, in a table of its own as Storm's examples do. */
    public static final class Count extends Bolt {
        private transient Map<Object, long[]> counts;

        @Override
        protected void process(Tuple tuple) {
            if (counts == null) {
                processed = Bench.processed();
                counts = newTable();
            }
            counts.computeIfAbsent(tuple.getValue(0), key -> new long[1])[0]++;
            processed.add(1);
        }
    }

    /**
     * b4: counts by campaign and window. Storm's own windows hold every tuple, unacked, until the
     * window ends; so users count by hand, as the Yahoo benchmark does. Nothing reads the windows
     * that ended, so a new table for each is all there is to do.
     */
    public static final class CountWindows extends Bolt {
        private transient Map<Object, long[]> counts;

        @Override
        protected void process(Tuple tuple) {
            counts = counts == null ? newTable() : counts;
            long time = (Long) tuple.getValue(1);
            String cell = Data.cell((String) tuple.getValue(0), time - time % Data.WINDOW_MS);
            counts.computeIfAbsent(cell, key -> new long[1])[0]++;
        }
    }

    private static Map<Object, long[]> newTable() {
        Map<Object, long[]> table = new HashMap<>();
        synchronized (TABLES) {
            TABLES.add(table);
        }
        return table;
    }

    private static TopologyBuilder topology() {
        TopologyBuilder builder = new TopologyBuilder();
        int tasks = Bench.TASKS;
        builder.setSpout("items", new Spout(), tasks);
        if (!KEYS && !TEXT && !EVENTS) {
            builder.setBolt("same", new Identity(), tasks).localOrShuffleGrouping("items");
            builder.setBolt("sink", new Sink(), tasks).localOrShuffleGrouping("same");
        } else if (KEYS) {
            builder.setBolt("count", new Count(), tasks).fieldsGrouping("items", new Fields("key"));
        } else if (TEXT) {
            builder.setBolt("words", new Split(), tasks).localOrShuffleGrouping("items");
            builder.setBolt("count", new Count(), tasks).fieldsGrouping("words", new Fields("key"));
        } else {
            builder.setBolt("views", new Parse(), tasks).localOrShuffleGrouping("items");
            builder.setBolt("count", new CountWindows(), tasks)
                    .fieldsGrouping("views", new Fields("key"));
        }
        return builder;
    }

    /** The settings of Storm's page on performance, and what was best of those it names. */
    private static Config config() {
        Config config = new Config();
        config.setNumWorkers(1);
        config.setNumAckers(ACKS ? Integer.getInteger("ackers", 1) : 0);
        config.setMaxSpoutPending(Integer.getInteger("pending", 8192));
        config.put(Config.TOPOLOGY_PRODUCER_BATCH_SIZE, Integer.getInteger("batch", 1000));
        config.put(Config.TOPOLOGY_EXECUTOR_RECEIVE_BUFFER_SIZE, 32_768);
        config.put(Config.TOPOLOGY_STATS_SAMPLE_RATE, 0.001);
        config.put(Config.TOPOLOGY_DISABLE_LOADAWARE_MESSAGING, true);
        config.put(Config.TOPOLOGY_BOLT_WAIT_PARK_MICROSEC, 100);
        config.put(Config.TOPOLOGY_SPOUT_WAIT_PARK_MICROSEC, 100);
        return config;
    }

    public static void main(String[] args) throws Exception {
        Bench.run(new Bench.Job() {
            @Override
            public void start() throws Exception {
                new LocalCluster().submitTopology("peers", config(), topology().createTopology());
            }

            /** Done when no tuple is open; without acks, when nothing comes out any more. */
            @Override
            public void finish() throws Exception {
                long before = -1;
                for (int i = 0; i < DRAIN_SECONDS; i++, Thread.sleep(1000)) {
                    boolean ended = ENDED_SPOUTS.get() == Bench.TASKS;
                    long open = SPOUTS.stream().mapToLong(spout -> spout.open).sum();
                    if (ended && (ACKS ? open == 0 : before == Bench.total())) {
                        break;
                    }
                    before = Bench.total();
                }
                long open = SPOUTS.stream().mapToLong(spout -> spout.open).sum();
                long failed = SPOUTS.stream().mapToLong(spout -> spout.failed).sum();
                if (open != 0 || failed != 0) {
                    System.err.println(open + " tuples were never acked, " + failed + " failed");
                }
                for (Map<Object, long[]> table : TABLES) {
                    table.forEach((key, count) -> Bench.result(key.toString(), count[0]));
                }
            }
        });
    }
}
