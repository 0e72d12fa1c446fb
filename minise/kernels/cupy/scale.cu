// Scale: each map times its gate, alone and as the tail of an SE residual block.
//
// A map is HW packs in a row of memory, and map n·C + c has the gate s[n, c]. The forward passes
// have a thread for each pack; the backward ones have a block for each map, since they sum over it.

extern "C" __global__ void scale(const T* x, const T* s, T* y, int count, int HW) {
    int i = element();
    if (i >= count) return;
    T gate = s[i / HW];
    Pack pack = load(x, i);
    for (int k = 0; k < WIDTH; k++) pack.v[k] *= gate;
    store(y, i, pack);
}

// dx = s · dy,   ds = Σ dy · x over the map
extern "C" __global__ void scale_backward(
    const T* dy, const T* x, const T* s, T* dx, T* ds, int HW) {
    int map = blockIdx.x;
    T gate = s[map], sum = 0;
    struct Packs {
        Pack above, in;
    };
    for_each(
        HW,
        [&](int pixel) {
            int i = map * HW + pixel;
            return Packs{load(dy, i), load(x, i)};
        },
        [&](int pixel, Packs at) {
            for (int k = 0; k < WIDTH; k++) {
                sum += at.above.v[k] * at.in.v[k];
                at.above.v[k] *= gate;
            }
            store(dx, map * HW + pixel, at.above);
        });
    sum = block_sum(sum);
    if (threadIdx.x == 0) ds[map] = sum;
}

// ds alone
extern "C" __global__ void gates_gradient(const T* dy, const T* x, T* ds, int HW) {
    int map = blockIdx.x;
    T sum = 0;
    struct Packs {
        Pack above, in;
    };
    for_each(
        HW,
        [&](int pixel) {
            int i = map * HW + pixel;
            return Packs{load(dy, i), load(x, i)};
        },
        [&](int, Packs at) {
            for (int k = 0; k < WIDTH; k++) sum += at.above.v[k] * at.in.v[k];
        });
    sum = block_sum(sum);
    if (threadIdx.x == 0) ds[map] = sum;
}

// y = max(s · x + r, 0)
extern "C" __global__ void scale_add_relu(
    const T* x, const T* s, const T* r, T* y, int count, int HW) {
    int i = element();
    if (i >= count) return;
    T gate = s[i / HW];
    Pack in = load(x, i), shortcut = load(r, i);
    for (int k = 0; k < WIDTH; k++) {
        T v = gate * in.v[k] + shortcut.v[k];
        in.v[k] = v <= 0 ? 0 : v;  // a comparison with NaN is never true
    }
    store(y, i, in);
}

// dr = dy where y > 0, else 0; dx and ds as those of `scale_backward`, of dr
extern "C" __global__ void scale_add_relu_backward(
    const T* dy, const T* x, const T* s, const T* y, T* dx, T* ds, T* dr, int HW) {
    int map = blockIdx.x;
    T gate = s[map], sum = 0;
    struct Packs {
        Pack passed, in, out;
    };
    for_each(
        HW,
        [&](int pixel) {
            int i = map * HW + pixel;
            return Packs{load(dy, i), load(x, i), load(y, i)};
        },
        [&](int pixel, Packs at) {
            for (int k = 0; k < WIDTH; k++) {
                if (!(at.out.v[k] > 0)) at.passed.v[k] = 0;
                sum += at.passed.v[k] * at.in.v[k];
            }
            store(dr, map * HW + pixel, at.passed);
            for (int k = 0; k < WIDTH; k++) at.passed.v[k] *= gate;
            store(dx, map * HW + pixel, at.passed);
        });
    sum = block_sum(sum);
    if (threadIdx.x == 0) ds[map] = sum;
}
