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
