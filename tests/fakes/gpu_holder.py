"""Holds memory of an NVIDIA GPU and runs a command: ``gpu_holder.py MIB COMMAND...``.

Through the driver's own library, so that nothing but the driver is needed. Says so and
ends with status 1 if there is not so much, as model servers do.
"""

import ctypes
import subprocess
import sys

_OUT_OF_MEMORY = 2


def hold(size_bytes: int) -> int:
    """Take memory of the first GPU, all of it written to; return CUDA's status."""
    cuda = ctypes.CDLL("libcuda.so.1")
    device, context = ctypes.c_int(), ctypes.c_void_p()
    address = ctypes.c_uint64()
    size = ctypes.c_size_t(size_bytes)
    for status in (
        cuda.cuInit(0),
        cuda.cuDeviceGet(ctypes.byref(device), 0),
        cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), device),
        cuda.cuCtxSetCurrent(context),
        cuda.cuMemAlloc_v2(ctypes.byref(address), size),
    ):
        if status:
            return int(status)
    return int(cuda.cuMemsetD8_v2(address, ctypes.c_ubyte(1), size))


def main(argv: list[str]) -> int:
    """Hold, then run; return the command's status."""
    status = hold(int(argv[0]) << 20)
    if status == _OUT_OF_MEMORY:
        sys.stderr.write("CUDA error: out of memory\n")
    elif status:
        sys.stderr.write(f"CUDA error {status}\n")
    return 1 if status else subprocess.call(argv[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
