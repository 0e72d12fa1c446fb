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
    for (int pixel = threadIdx.x; pixel < HW; pixel += blockDim.x) {
        int i = map * HW + pixel;
        Pack above = load(dy, i), in = load(x, i);
        for (int k = 0; k < WIDTH; k++) {
            sum += above.v[k] * in.v[k];
            above.v[k] *= gate;
        }
        store(dx, i, above);
    }
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
    for (int pixel = threadIdx.x; pixel < HW; pixel += blockDim.x) {
        int i = map * HW + pixel;
        Pack passed = load(dy, i), in = load(x, i), out = load(y, i);
        for (int k = 0; k < WIDTH; k++) {
            if (!(out.v[k] > 0)) passed.v[k] = 0;
            sum += passed.v[k] * in.v[k];
        }
        store(dr, i, passed);
        for (int k = 0; k < WIDTH; k++) passed.v[k] *= gate;
        store(dx, i, passed);
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) ds[map] = sum;
}
