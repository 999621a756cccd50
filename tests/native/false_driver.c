/* NVIDIA's driver, as far as it is asked: one device, and programs of CUDA 12.4. */
int cuInit(unsigned flags) { return (int)flags; }

int cuDeviceGetCount(int* count) {
    *count = 1;
    return 0;
}

int cuDriverGetVersion(int* version) {
    *version = 12040;
    return 0;
}
