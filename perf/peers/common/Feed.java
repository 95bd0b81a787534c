package peers;

import java.util.concurrent.atomic.AtomicLongArray;

/**
 * The input of one source task: every n-th item of the data, again and again.
 *
 * All tasks make the same number of passes over their share, so that the counts at the end are
 * those of one pass, so many times. Only the last item of a pass looks whether to go on.
 */
public final class Feed {
    private static final int TASKS_MAX = 64;
    private static final AtomicLongArray PASSES = new AtomicLongArray(TASKS_MAX);
    private static volatile long last = Long.MAX_VALUE;

    private final int task;
    private final int tasks;
    private long pass;
    private int at;

    public Feed(int task, int tasks) {
        this.task = task;
        this.tasks = tasks;
        this.at = task;
    }

    /** The index of the next item, or -1 when the run is over. */
    public int next() {
        if (at >= Data.items()) {
            if (pass >= last) {
                return -1;
            }
            PASSES.set(task, ++pass);
            at = task;
        }
        int index = at;
        at += tasks;
        return index;
    }

    /** The pass that the last item belongs to, from 0. */
    public long pass() {
        return pass;
    }

    /** What a snapshot keeps: pass and place in one number. */
    public long position() {
        return pass * Integer.MAX_VALUE + at;
    }

    public void restore(long position) {
        pass = position / Integer.MAX_VALUE;
        at = (int) (position % Integer.MAX_VALUE);
        PASSES.set(task, pass);
    }

    /** Every task ends with the same pass, one that none has ended yet. */
    public static void stop() {
        long furthest = 0;
        for (int i = 0; i < TASKS_MAX; i++) {
            furthest = Math.max(furthest, PASSES.get(i));
        }
        last = furthest + 1;
    }

    /** How many passes there were; known after stop. */
    public static long passes() {
        return last + 1;
    }
}
