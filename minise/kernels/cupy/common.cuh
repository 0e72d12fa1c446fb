// What all kernels share. T is float or double; a thread reads WIDTH of them at once.

using T = FLOAT;

struct __align__(sizeof(T) * WIDTH) Pack {
    T v[WIDTH];
};

// NVRTC has no <cmath> to take it from.
__device__ T infinity() { return __int_as_float(0x7f800000); }

__device__ Pack load(const T* x, int i) { return reinterpret_cast<const Pack*>(x)[i]; }

__device__ void store(T* y, int i, Pack pack) { reinterpret_cast<Pack*>(y)[i] = pack; }

// The number of this thread among all of the grid, for kernels in which one thread does one element
// (or pack) of the output. The grid is a little larger than the output.
__device__ int element() { return blockIdx.x * blockDim.x + threadIdx.x; }

struct Divided {
    int quotient, rest;
};

// Divides by one number again and again, with a multiplication: a GPU has no instruction that divides
// integers, and a multiplication the compiler takes out of loops.
struct Divisor {
    unsigned divisor, inverse;

    __device__ explicit Divisor(int divisor) : divisor(divisor), inverse(0xffffffff / divisor) {}

    // For n >= 0. The inverse is too small by less than one, so the quotient by one at most.
    __device__ Divided operator()(int n) const {
        unsigned quotient = (unsigned long long)n * inverse >> 32, rest = n - quotient * divisor;
        bool more = rest >= divisor;
        return {int(quotient + more), int(more ? rest - divisor : rest)};
    }
};

// use(i, read(i)) for this thread's share of i < count, always in the same order. AHEAD are read
// before the first is used: memory takes its time to answer, and answers several at once.
constexpr int AHEAD = 4;

template <class Read, class Use>
__device__ void for_each(int count, Read read, Use use) {
    int step = blockDim.x;
    for (int i = threadIdx.x; i < count; i += AHEAD * step) {
        decltype(read(i)) ahead[AHEAD];
        for (int k = 0; k < AHEAD; k++)
            if (i + k * step < count) ahead[k] = read(i + k * step);
        for (int k = 0; k < AHEAD; k++)
            if (i + k * step < count) use(i + k * step, ahead[k]);
    }
}

// The sum over all threads of the block, given to each of them. A tree, and so always in the same
// order. Blocks have a power of two of threads, 256 at most.
__device__ T block_sum(T value) {
    __shared__ T tree[256];
    tree[threadIdx.x] = value;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) tree[threadIdx.x] += tree[threadIdx.x + half];
        __syncthreads();
    }
    T sum = tree[0];
    __syncthreads();  // before anybody writes the next one
    return sum;
}
