package peers;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** The number in the first 8 bytes of a message. */
public final class Numbers {
    private static final VarHandle NUMBER =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private Numbers() {}

    public static long get(byte[] message) {
        return (long) NUMBER.get(message, 0);
    }

    public static void set(byte[] message, long number) {
        NUMBER.set(message, 0, number);
    }
}
