// Kernels that are right, and some that are wrong on purpose. T is float or double.
using T = FLOAT;

// Words in comments are no code: __syncthreads(), extern "C" __global__ void ghost(int n) {}
#define WIDTH 64
struct Size { int n; T factor; };
struct Item { T* values; int n; };

template <class U> __device__ __forceinline__ U larger(U a, U b) { return a > b ? a : b; }

__device__ T sum_of_block(T value) {
  __shared__ T part[WIDTH];
  part[threadIdx.x] = value;
  for (int k = WIDTH / 2; k > 0; k /= 2) {
    __syncthreads();
    if (threadIdx.x < k) part[threadIdx.x] += part[threadIdx.x + k];
  }
  __syncthreads();
  return part[0];
}

extern "C" __global__ void scale(
    const T* __restrict__ x,  // read, not written
    T* __restrict__ y, int n, T factor, bool negative) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = negative ? -factor * x[i] : factor * x[i];
}

extern "C" __global__ void __launch_bounds__(WIDTH) sum(const T* x, T* y, int n) {
  T value = 0;
  for (int i = threadIdx.x; i < n; i += WIDTH) value += x[i];
  T total = sum_of_block(value);
  if (threadIdx.x == 0) y[blockIdx.x] = total;
}

extern "C" __global__ void no_barrier(const T* x, T* y) {
  __shared__ T part[WIDTH];
  part[threadIdx.x] = x[threadIdx.x];
  y[threadIdx.x] = part[WIDTH - 1 - threadIdx.x];
}

extern "C" __global__ void shared_not_written(T* y) {
  __shared__ T part[WIDTH];
  if (blockIdx.x == 0) part[threadIdx.x] = 1;
  y[blockIdx.x * WIDTH + threadIdx.x] = part[threadIdx.x];
}

extern "C" __global__ void blocks_meet(T* y) { y[0] = y[0] * 2 + blockIdx.x; }

extern "C" __global__ void atomics(const T* x, T* y) { atomicAdd(y, x[threadIdx.x]); }

extern "C" __global__ void write_at(T* y, int place) { y[place] += 1; }

extern "C" __global__ void read_at(const T* x, T* y, int place) { *y = larger<T>(x[place], 0); }

extern "C" __global__ void cast_const_away(const T* x) { const_cast<T*>(x)[0] = 1; }

extern "C" __global__ void uneven(T* y, int way) {
  if (way == 0 && threadIdx.x == 0) return;
  if (way == 1 && threadIdx.x == 0) __syncthreads();
  else __syncthreads();
  y[threadIdx.x] = 1;
}

extern "C" __global__ void rotate(T* y, Size size) {
  extern __shared__ __align__(16) T dynamic[];
  dynamic[threadIdx.x] = y[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = dynamic[(threadIdx.x + size.n) % blockDim.x] * size.factor;
}

extern "C" __global__ void fill_all(T* const* tables, const int* sizes, const T* skip) {
  if (skip) return;
  for (int i = threadIdx.x; i < sizes[blockIdx.x]; i += blockDim.x) tables[blockIdx.x][i] = i;
}

extern "C" __global__ void fill_items(const Item* items) {
  Item item = items[blockIdx.x];
  if (threadIdx.x < item.n) item.values[threadIdx.x] = 5;
}

extern "C" __global__ void warps(const T* x, T* y) {
  T value = x[threadIdx.x];
  for (int k = 16; k > 0; k /= 2) value += __shfl_xor_sync(0xffffffff, value, k);
  T next = __shfl_down_sync(0xffffffff, x[threadIdx.x], 1);
  if (__any_sync(0xffffffff, threadIdx.x == 40)) y[threadIdx.x] = value + 1000 * next;
  else y[threadIdx.x] = value;
}

extern "C" __global__ void place(int* y) {
  int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  int thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  y[block * blockDim.x * blockDim.y * blockDim.z + thread] = threadIdx.z * 100 + blockIdx.y;
}

extern "C" __global__ void look_away(const volatile T* x, T* y, int n, int away) {
  T seen = x[away];
  if (threadIdx.x < n) y[threadIdx.x] = x[threadIdx.x] + 0 * (seen == 0);
}
