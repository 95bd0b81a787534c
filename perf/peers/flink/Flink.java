package peers;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.functions.FlatMapFunction;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.runtime.state.VoidNamespace;
import org.apache.flink.runtime.state.VoidNamespaceSerializer;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.RichSinkFunction;
import org.apache.flink.streaming.api.functions.source.RichParallelSourceFunction;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.util.Collector;

/** The workloads on Flink: chained, reused objects, heap state, at-least-once checkpoints. */
public final class Flink {
    private static final boolean KEYS = Bench.is("b2");
    private static final int BURST = 256;
    private static final TypeInformation<byte[]> BYTES =
            PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO;

    private Flink() {}

    /** Sends items in bursts, a burst for each time that it takes the checkpoint's lock. */
    abstract static class Source<T> extends RichParallelSourceFunction<T>
            implements CheckpointedFunction {
        protected transient Feed feed;
        private transient ListState<Long> position;
        private volatile boolean running = true;

        protected abstract T item(int i);

        @Override
        public void run(SourceContext<T> context) {
            while (running) {
                synchronized (context.getCheckpointLock()) {
                    for (int n = 0; n < BURST; n++) {
                        int i = feed.next();
                        if (i < 0) {
                            return;
                        }
                        context.collect(item(i));
                    }
                }
            }
        }

        @Override
        public void cancel() {
            running = false;
        }

        @Override
        public void initializeState(FunctionInitializationContext context) throws Exception {
            feed = new Feed(getRuntimeContext().getTaskInfo().getIndexOfThisSubtask(), Bench.TASKS);
            position = context.getOperatorStateStore()
                    .getListState(new ListStateDescriptor<>("position", Types.LONG));
            for (Long at : position.get()) {
                feed.restore(at);
            }
        }

        @Override
        public void snapshotState(FunctionSnapshotContext context) throws Exception {
            position.update(List.of(feed.position()));
        }
    }

    /** b1 and b2: one message, filled anew each time, as objects may be reused. */
    static final class Messages extends Source<byte[]> {
        private final byte[] message = new byte[Data.MESSAGE_BYTES];

        @Override
        protected byte[] item(int i) {
            Numbers.set(message, KEYS ? Data.key(i) : i);
            return message;
        }
    }

    static final class Lines extends Source<String> {
        @Override
        protected String item(int i) {
            return Data.line(i);
        }
    }

    static final class Events extends Source<Data.Event> {
        @Override
        protected Data.Event item(int i) {
            return Data.event(i, feed.pass());
        }
    }

    /** b1: the end. */
    static final class Sink extends RichSinkFunction<byte[]> {
        private transient Bench.Counter processed;
        private transient Bench.Counter sum;

        @Override
        public void open(Configuration configuration) {
            processed = Bench.processed();
            sum = Bench.sum();
        }

        @Override
        public void invoke(byte[] message, Context context) {
            sum.add(Numbers.get(message));
            processed.add(1);
        }
    }

    /** b2 and b3: counts by key in keyed state, which it tells at the end. */
    static final class Count<K, T> extends AbstractStreamOperator<Void>
            implements OneInputStreamOperator<T, Void> {
        private transient ValueState<Long> state;
        private transient Bench.Counter processed;

        private static ValueStateDescriptor<Long> descriptor() {
            return new ValueStateDescriptor<>("count", Types.LONG);
        }

        @Override
        public void open() throws Exception {
            super.open();
            state = getRuntimeContext().getState(descriptor());
            processed = Bench.processed();
        }

        @Override
        public void processElement(StreamRecord<T> item) throws Exception {
            Long count = state.value();
            state.update(count == null ? 1 : count + 1);
            processed.add(1);
        }

        @Override
        public void finish() throws Exception {
            super.finish();
            this.<K>getKeyedStateBackend().applyToAllKeys(VoidNamespace.INSTANCE,
                    VoidNamespaceSerializer.INSTANCE, descriptor(),
                    (key, count) -> Bench.result(key.toString(), count.value()));
        }
    }

    private static void b1(StreamExecutionEnvironment env) {
        if (Bench.isHop()) {
            env.disableOperatorChaining();
        }
        env.addSource(new Messages(), BYTES).map(message -> message).returns(BYTES)
                .addSink(new Sink());
    }

    private static void b2(StreamExecutionEnvironment env) {
        KeySelector<byte[], Long> key = Numbers::get;
        env.addSource(new Messages(), BYTES).keyBy(key, Types.LONG)
                .transform("count", Types.VOID, new Count<Long, byte[]>());
    }

    private static void b3(StreamExecutionEnvironment env) {
        env.addSource(new Lines(), Types.STRING).flatMap(Flink::split).returns(Types.STRING)
                .keyBy(word -> word).transform("count", Types.VOID, new Count<String, String>());
    }

    private static void split(String line, Collector<String> out) {
        for (int at = 0, end; at < line.length(); at = end + 1) {
            end = line.indexOf(' ', at);
            end = end < 0 ? line.length() : end;
            if (end > at) {
                out.collect(line.substring(at, end));
            }
        }
    }

    private static void b4(StreamExecutionEnvironment env) {
        Duration late = Duration.ofMillis(Data.LATE_MS);
        TypeInformation<Tuple2<String, Long>> viewType = Types.TUPLE(Types.STRING, Types.LONG);
        TypeInformation<Data.Event> eventType = TypeInformation.of(Data.Event.class);
        DataStream<Tuple2<String, Long>> views = env.addSource(new Events(), eventType)
                .flatMap(new Parse()).returns(viewType)
                .assignTimestampsAndWatermarks(WatermarkStrategy
                        .<Tuple2<String, Long>>forBoundedOutOfOrderness(late)
                        .withTimestampAssigner((view, before) -> view.f1));
        views.keyBy(view -> view.f0, Types.STRING)
                .window(TumblingEventTimeWindows.of(Duration.ofMillis(Data.WINDOW_MS)))
                .aggregate(new CountViews(), new Report(), Types.LONG, Types.LONG, Types.VOID);
    }

    /** b4: parses, filters, projects and joins. */
    static final class Parse
            implements FlatMapFunction<Data.Event, Tuple2<String, Long>> {
        private transient Bench.Counter processed;

        @Override
        public void flatMap(Data.Event event, Collector<Tuple2<String, Long>> out) {
            processed = processed == null ? Bench.processed() : processed;
            processed.add(1);
            Data.View view = Data.view(event);
            if (view != null) {
                out.collect(Tuple2.of(view.campaign(), view.timeMs()));
            }
        }
    }

    static final class CountViews implements AggregateFunction<Tuple2<String, Long>, Long, Long> {
        @Override
        public Long createAccumulator() {
            return 0L;
        }

        @Override
        public Long add(Tuple2<String, Long> view, Long count) {
            return count + 1;
        }

        @Override
        public Long getResult(Long count) {
            return count;
        }

        @Override
        public Long merge(Long a, Long b) {
            return a + b;
        }
    }

    static final class Report extends ProcessWindowFunction<Long, Void, String, TimeWindow> {
        @Override
        public void process(String campaign, Context context, Iterable<Long> count,
                Collector<Void> out) {
            Bench.result(Data.cell(campaign, context.window().getStart()),
                    count.iterator().next());
        }
    }

    private static StreamExecutionEnvironment environment() {
        Configuration configuration = new Configuration();
        configuration.set(TaskManagerOptions.NETWORK_MEMORY_MIN, MemorySize.ofMebiBytes(256));
        configuration.set(TaskManagerOptions.NETWORK_MEMORY_MAX, MemorySize.ofMebiBytes(256));
        configuration.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY,
                "file://" + System.getProperty("checkpoints"));
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.createLocalEnvironment(Bench.TASKS, configuration);
        env.getConfig().enableObjectReuse();
        env.enableCheckpointing(TimeUnit.SECONDS.toMillis(Bench.is("b1") ? 1 : 10),
                CheckpointingMode.AT_LEAST_ONCE);
        return env;
    }

    public static void main(String[] args) throws Exception {
        StreamExecutionEnvironment env = environment();
        if (Bench.is("b1")) {
            b1(env);
        } else if (Bench.is("b2")) {
            b2(env);
        } else if (Bench.is("b3")) {
            b3(env);
        } else {
            b4(env);
        }
        Bench.run(new Bench.Job() {
            private JobClient client;

            @Override
            public void start() throws Exception {
                client = env.executeAsync("peers");
            }

            @Override
            public void finish() throws Exception {
                client.getJobExecutionResult().get();
            }
        });
    }
}
