// Batch norm, alone and followed by relu (RELU is 1).
//
//     x̂ = (x − μ) / √(σ² + ε),   y = w · x̂ + b
//
// Sums over a channel are made in two kernels: one block for each *slab*, some images of one channel,
// and then one block for each channel over its slabs. Always in the same order, without atomics.
// Image n of channel c is the map n·C + c, HW packs in a row.

// use(read(i)) for every pack i of this block's slab: the channel blockIdx.x, `images` from the image
// blockIdx.y · images on.
template <class Read, class Use>
__device__ void for_slab(int N, int C, int HW, int images, Read read, Use use) {
    int first = blockIdx.y * images;
    Divisor by_map(HW);
    for_each(
        min(images, N - first) * HW,
        [&](int k) {
            auto [n, place] = by_map(k);
            return read(((first + n) * C + blockIdx.x) * HW + place);
        },
        [&](int, decltype(read(0)) found) { use(found); });
}

// The mean of each slab, and Σ (x − mean)² about it: (C, slabs) both. The slab is read twice, the
// second time from the cache.
extern "C" __global__ void slab_moments(
    const T* x, T* mean, T* squares, int N, int C, int HW, int images) {
    auto read = [&](int i) { return load(x, i); };
    T sum = 0;
    for_slab(N, C, HW, images, read, [&](Pack in) {
        for (int k = 0; k < WIDTH; k++) sum += in.v[k];
    });
    T values = T(min(images, N - int(blockIdx.y) * images)) * (HW * WIDTH);
    T middle = block_sum(sum) / values;
    sum = 0;
    for_slab(N, C, HW, images, read, [&](Pack in) {
        for (int k = 0; k < WIDTH; k++) sum += (in.v[k] - middle) * (in.v[k] - middle);
    });
    sum = block_sum(sum);
    if (threadIdx.x == 0) {
        int slab = blockIdx.x * gridDim.y + blockIdx.y;
        mean[slab] = middle;
        squares[slab] = sum;
    }
}

// From the slabs' moments those of the channel (Chan et al. 1983): each slab's squares are about its
// own mean, which lies off the channel's.
extern "C" __global__ void channel_moments(
    const T* slab_mean, const T* squares, T* mean, T* var, int N, int HW, int images, int slabs) {
    const T* means = slab_mean + blockIdx.x * slabs;
    T sum = 0;
    for (int k = threadIdx.x; k < slabs; k += blockDim.x)
        sum += means[k] * (T(min(images, N - k * images)) / N);
    T middle = block_sum(sum);
    sum = 0;
    for (int k = threadIdx.x; k < slabs; k += blockDim.x) {
        T off = means[k] - middle;
        T values = T(min(images, N - k * images)) * (HW * WIDTH);
        sum += squares[blockIdx.x * slabs + k] + values * off * off;
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) {
        mean[blockIdx.x] = middle;
        var[blockIdx.x] = sum / (T(N) * (HW * WIDTH));
    }
}

// y before relu. Both passes need the same bits of it, so the product is not left to the compiler.
__device__ T straight(T x, T middle, T spread, T weight, T bias) {
    return fma(weight, (x - middle) * spread, bias);
}

// y of every pack. A thread for each.
extern "C" __global__ void normalise(
    const T* x, const T* w, const T* b, const T* mean, const T* var, T* y, T eps, int C,
    int count, int HW) {
    int i = element();
    if (i >= count) return;
    int c = i / HW % C;
    T middle = mean[c], spread = 1 / sqrt(var[c] + eps), weight = w[c], bias = b[c];
    Pack pack = load(x, i);
    for (int k = 0; k < WIDTH; k++) {
        T v = straight(pack.v[k], middle, spread, weight, bias);
        pack.v[k] = RELU && v <= 0 ? 0 : v;
    }
    store(y, i, pack);
}

// What relu lets through of dy: all of it without one.
__device__ T passed(T dy, T x, T middle, T spread, T weight, T bias) {
    return !RELU || straight(x, middle, spread, weight, bias) > 0 ? dy : T(0);
}

// Σ dy and Σ dy · x̂ of each slab: (C, slabs) both.
extern "C" __global__ void slab_gradients(
    const T* dy, const T* x, const T* w, const T* b, const T* mean, const T* var, T eps, T* dw,
    T* db, int N, int C, int HW, int images) {
    int c = blockIdx.x;
    T middle = mean[c], spread = 1 / sqrt(var[c] + eps), weight = w[c], bias = b[c];
    T along = 0, sum = 0;
    struct Packs {
        Pack above, in;
    };
    for_slab(
        N, C, HW, images,
        [&](int i) { return Packs{load(dy, i), load(x, i)}; },
        [&](Packs at) {
            for (int k = 0; k < WIDTH; k++) {
                T above = passed(at.above.v[k], at.in.v[k], middle, spread, weight, bias);
                sum += above;
                along += above * ((at.in.v[k] - middle) * spread);
            }
        });
    sum = block_sum(sum);
    along = block_sum(along);
    if (threadIdx.x == 0) {
        int slab = blockIdx.x * gridDim.y + blockIdx.y;
        dw[slab] = along;
        db[slab] = sum;
    }
}

// The sum over the slabs of each channel, of both.
extern "C" __global__ void channel_gradients(
    const T* slab_dw, const T* slab_db, T* dw, T* db, int slabs) {
    T along = 0, sum = 0;
    for (int k = threadIdx.x; k < slabs; k += blockDim.x) {
        along += slab_dw[blockIdx.x * slabs + k];
        sum += slab_db[blockIdx.x * slabs + k];
    }
    sum = block_sum(sum);
    along = block_sum(along);
    if (threadIdx.x == 0) {
        dw[blockIdx.x] = along;
        db[blockIdx.x] = sum;
    }
}

// dx = w / √(σ² + ε) · (dy − db/M − x̂ · dw/M), with M the values in a channel; the last two terms
// only where the statistics came from the batch (FROM_BATCH is 1).
extern "C" __global__ void batch_norm_dx(
    const T* dy, const T* x, const T* w, const T* b, const T* mean, const T* var, const T* dw,
    const T* db, T* dx, T eps, T M, int C, int count, int HW) {
    int i = element();
    if (i >= count) return;
    int c = i / HW % C;
    T middle = mean[c], spread = 1 / sqrt(var[c] + eps), weight = w[c], bias = b[c];
    T shift = FROM_BATCH ? db[c] / M : T(0), along = FROM_BATCH ? dw[c] / M : T(0);
    Pack above = load(dy, i), in = load(x, i);
    for (int k = 0; k < WIDTH; k++) {
        T v = passed(above.v[k], in.v[k], middle, spread, weight, bias);
        if (FROM_BATCH) v -= shift + (in.v[k] - middle) * spread * along;
        above.v[k] = v * (weight * spread);
    }
    store(dx, i, above);
}
