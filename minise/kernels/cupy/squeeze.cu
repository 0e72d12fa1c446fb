// Squeeze: each map to its mean, or to its largest pixel. A block for each map of HW packs.

extern "C" __global__ void global_avg_pool(const T* x, T* z, int HW) {
    int map = blockIdx.x;
    T sum = 0;
    for_each(
        HW, [&](int pixel) { return load(x, map * HW + pixel); },
        [&](int, Pack in) {
            for (int k = 0; k < WIDTH; k++) sum += in.v[k];
        });
    sum = block_sum(sum);
    if (threadIdx.x == 0) z[map] = sum / (HW * WIDTH);
}

// dx = dz / HW; where ADD is 1 on top of `above`, which may be dx itself, and where it is 2 on top of
// s · above. A thread for each pack.
extern "C" __global__ void global_avg_pool_backward(
    const T* dz, const T* above, const T* s, T* dx, int count, int HW) {
    int i = element();
    if (i >= count) return;
    T share = dz[i / HW] / (HW * WIDTH), gate = ADD == 2 ? s[i / HW] : T(1);
    Pack pack;
    if (ADD) pack = load(above, i);
    for (int k = 0; k < WIDTH; k++) pack.v[k] = ADD ? gate * pack.v[k] + share : share;
    store(dx, i, pack);
}

// Whether `challenger` is larger; NaN is larger than every number, and the first of two equals wins.
__device__ bool wins(T challenger, int at, T champion, int where) {
    if (isnan(champion)) return isnan(challenger) && at < where;
    return isnan(challenger) || challenger > champion || (challenger == champion && at < where);
}

// z is the largest pixel, `winner` says where in its map it is.
extern "C" __global__ void global_max_pool(const T* x, T* z, int* winner, int HW) {
    __shared__ T values[256];
    __shared__ int places[256];
    const T* pixels = x + (long long)blockIdx.x * HW;
    int mine = threadIdx.x;
    T champion = -infinity();
    int where = HW;  // no pixel yet: after all of them
    for (int pixel = mine; pixel < HW; pixel += blockDim.x)
        if (wins(pixels[pixel], pixel, champion, where)) {
            champion = pixels[pixel];
            where = pixel;
        }
    values[mine] = champion;
    places[mine] = where;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        int other = mine + half;
        if (mine < half && wins(values[other], places[other], values[mine], places[mine])) {
            values[mine] = values[other];
            places[mine] = places[other];
        }
        __syncthreads();
    }
    if (mine == 0) {
        z[blockIdx.x] = values[0];
        winner[blockIdx.x] = places[0];
    }
}

// The gradient goes to the pixel that won. A thread for each pixel.
extern "C" __global__ void global_max_pool_backward(
    const T* dz, const int* winner, T* dx, int count, int HW) {
    int i = element();
    if (i >= count) return;
    int map = i / HW;
    T here = i % HW == winner[map] ? dz[map] : 0;
    dx[i] = ADD ? dx[i] + here : here;
}
