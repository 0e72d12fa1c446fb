// What NVRTC has built in, for a compiler of the processor: it stands before the kernels.
// It includes nothing, so that a kernel finds no name here which it would not find there.

#define __CUDA_ARCH__ 800
#define __global__ __attribute__((unused))
#define __device__ __attribute__((unused))
#define __host__
#define __constant__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(n) __attribute__((aligned(n)))
#define __restrict__ __restrict

// Where the memory of a block lies is said by the Python side: SHARED_OF is a section of its own
// for each kernel, which is filled with NaN before each block.
#define CUDA_SHARED(section_name) static __attribute__((section(section_name), used))

#define __syncthreads() cuda_on_host::wait_for_block(__LINE__)
#define __syncwarp(...) cuda_on_host::wait_for_warp(__LINE__, ##__VA_ARGS__)
#define assert(condition) \
  ((condition) ? (void)0 : cuda_on_host::fail("assertion failed: " #condition, __LINE__))

namespace cuda_on_host {

using size_t = __SIZE_TYPE__;
using ptrdiff_t = __PTRDIFF_TYPE__;
#define NULL nullptr

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

static uint3 threadIdx, blockIdx;
static dim3 blockDim, gridDim;
constexpr int warpSize = 32;
alignas(64) static unsigned char dynamic_shared[(48 << 10) + 256];

[[noreturn]] void fail(const char* what, int line);
void wait_for_block(int line);
void wait_for_warp(int line, unsigned mask = 0xffffffff);
// Each thread of the mask gives a value; it gets that of the lane it names, NaN if there is none.
void exchange(int line, unsigned mask, const void* mine, int lane, void* theirs, unsigned size);
int lane_of_this_thread();

inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}
inline void __trap() { fail("__trap()", 0); }

// Vectors

#define CUDA_VECTORS(type, name, align2, align4)                                        \
  struct name##1 { type x; };                                                           \
  struct alignas(align2) name##2 { type x, y; };                                        \
  struct name##3 { type x, y, z; };                                                     \
  struct alignas(align4) name##4 { type x, y, z, w; };                                  \
  inline name##1 make_##name##1(type x) { return {x}; }                                 \
  inline name##2 make_##name##2(type x, type y) { return {x, y}; }                      \
  inline name##3 make_##name##3(type x, type y, type z) { return {x, y, z}; }           \
  inline name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }
CUDA_VECTORS(float, float, 8, 16)
CUDA_VECTORS(double, double, 16, 16)
CUDA_VECTORS(int, int, 8, 16)
CUDA_VECTORS(signed char, char, 2, 4)
CUDA_VECTORS(unsigned char, uchar, 2, 4)
CUDA_VECTORS(short, short, 4, 8)
CUDA_VECTORS(unsigned short, ushort, 4, 8)
CUDA_VECTORS(long long, longlong, 16, 16)
CUDA_VECTORS(unsigned long long, ulonglong, 16, 16)
#undef CUDA_VECTORS
struct uint1 { unsigned x; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint3 make_uint3(unsigned x, unsigned y, unsigned z) { return {x, y, z}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

// Mathematics: sinf for float; sin for both. For integers sin is ambiguous, as it is there.

#define CUDA_ONE(name)                                                  \
  inline float name##f(float x) { return __builtin_##name##f(x); }      \
  inline float name(float x) { return __builtin_##name##f(x); }         \
  inline double name(double x) { return __builtin_##name(x); }
// With one float and one double, both would do: CUDA's compiler says so, others choose one.
template <class A, class B> struct mixed {};
template <> struct mixed<float, double> { using type = int; };
template <> struct mixed<double, float> { using type = int; };
#define CUDA_TWO(name)                                                                     \
  inline float name##f(float x, float y) { return __builtin_##name##f(x, y); }             \
  inline float name(float x, float y) { return __builtin_##name##f(x, y); }                \
  inline double name(double x, double y) { return __builtin_##name(x, y); }                \
  template <class A, class B, typename mixed<A, B>::type = 0> void name(A x, B y) = delete;
CUDA_ONE(acos) CUDA_ONE(acosh) CUDA_ONE(asin) CUDA_ONE(asinh) CUDA_ONE(atan) CUDA_ONE(atanh)
CUDA_ONE(cbrt) CUDA_ONE(ceil) CUDA_ONE(cos) CUDA_ONE(cosh) CUDA_ONE(erf) CUDA_ONE(erfc)
CUDA_ONE(exp) CUDA_ONE(exp2) CUDA_ONE(expm1) CUDA_ONE(fabs) CUDA_ONE(floor) CUDA_ONE(log)
CUDA_ONE(log10) CUDA_ONE(log1p) CUDA_ONE(log2) CUDA_ONE(nearbyint) CUDA_ONE(rint) CUDA_ONE(round)
CUDA_ONE(sin) CUDA_ONE(sinh) CUDA_ONE(sqrt) CUDA_ONE(tan) CUDA_ONE(tanh) CUDA_ONE(tgamma)
CUDA_ONE(trunc)
CUDA_TWO(atan2) CUDA_TWO(fdim) CUDA_TWO(fmax) CUDA_TWO(fmin) CUDA_TWO(fmod)
CUDA_TWO(hypot) CUDA_TWO(nextafter) CUDA_TWO(pow) CUDA_TWO(remainder)
#undef CUDA_ONE
#undef CUDA_TWO
inline float pow(float x, int n) { return __builtin_powif(x, n); }
inline double pow(double x, int n) { return __builtin_powi(x, n); }
inline float copysignf(float x, float y) { return __builtin_copysignf(x, y); }
inline float copysign(float x, float y) { return __builtin_copysignf(x, y); }
inline double copysign(float x, double y) { return __builtin_copysign(x, y); }
inline double copysign(double x, float y) { return __builtin_copysign(x, y); }
inline double copysign(double x, double y) { return __builtin_copysign(x, y); }
inline float fmaf(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
inline float fma(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
inline double fma(double x, double y, double z) { return __builtin_fma(x, y, z); }
inline float ldexpf(float x, int n) { return __builtin_ldexpf(x, n); }
inline float ldexp(float x, int n) { return __builtin_ldexpf(x, n); }
inline double ldexp(double x, int n) { return __builtin_ldexp(x, n); }
inline long lroundf(float x) { return __builtin_lroundf(x); }
inline long lround(float x) { return __builtin_lroundf(x); }
inline long lround(double x) { return __builtin_lround(x); }
inline float nanf(const char*) { return __builtin_nanf(""); }
inline double nan(const char*) { return __builtin_nan(""); }
inline float rsqrtf(float x) { return 1 / __builtin_sqrtf(x); }
inline float rsqrt(float x) { return 1 / __builtin_sqrtf(x); }
inline double rsqrt(double x) { return 1 / __builtin_sqrt(x); }
inline int abs(int x) { return x < 0 ? -x : x; }
inline long abs(long x) { return x < 0 ? -x : x; }
inline long long abs(long long x) { return x < 0 ? -x : x; }
inline float abs(float x) { return __builtin_fabsf(x); }
inline double abs(double x) { return __builtin_fabs(x); }
#define CUDA_TEST(name, test)                      \
  inline bool name(float x) { return test(x); }    \
  inline bool name(double x) { return test(x); }
CUDA_TEST(isnan, __builtin_isnan)
CUDA_TEST(isinf, __builtin_isinf)
CUDA_TEST(isfinite, __builtin_isfinite)
CUDA_TEST(signbit, __builtin_signbit)
#undef CUDA_TEST

// The pairs of types that CUDA has min and max for; all others are ambiguous there, too.
#define CUDA_LESSER(result, a, b)                                 \
  inline result min(a x, b y) { return (result)x < (result)y ? (result)x : (result)y; } \
  inline result max(a x, b y) { return (result)x > (result)y ? (result)x : (result)y; }
CUDA_LESSER(int, int, int)
CUDA_LESSER(unsigned, unsigned, unsigned)
CUDA_LESSER(unsigned, int, unsigned)
CUDA_LESSER(unsigned, unsigned, int)
CUDA_LESSER(long, long, long)
CUDA_LESSER(unsigned long, unsigned long, unsigned long)
CUDA_LESSER(unsigned long, long, unsigned long)
CUDA_LESSER(unsigned long, unsigned long, long)
CUDA_LESSER(long long, long long, long long)
CUDA_LESSER(unsigned long long, unsigned long long, unsigned long long)
CUDA_LESSER(unsigned long long, long long, unsigned long long)
CUDA_LESSER(unsigned long long, unsigned long long, long long)
#undef CUDA_LESSER
#define CUDA_LESSER(result, a, b)                                      \
  inline result min(a x, b y) { return fmin((result)x, (result)y); }   \
  inline result max(a x, b y) { return fmax((result)x, (result)y); }
CUDA_LESSER(float, float, float)
CUDA_LESSER(double, double, double)
CUDA_LESSER(double, float, double)
CUDA_LESSER(double, double, float)
#undef CUDA_LESSER

// Intrinsics

inline float __expf(float x) { return __builtin_expf(x); }
inline float __logf(float x) { return __builtin_logf(x); }
inline float __log2f(float x) { return __builtin_log2f(x); }
inline float __powf(float x, float y) { return __builtin_powf(x, y); }
inline float __sinf(float x) { return __builtin_sinf(x); }
inline float __cosf(float x) { return __builtin_cosf(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __saturatef(float x) { return fminf(fmaxf(x, 0), 1); }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fsub_rn(float x, float y) { return x - y; }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __fdiv_rn(float x, float y) { return x / y; }
inline float __fsqrt_rn(float x) { return __builtin_sqrtf(x); }
inline float __frsqrt_rn(float x) { return 1 / __builtin_sqrtf(x); }
inline float __frcp_rn(float x) { return 1 / x; }
inline float __fmaf_rn(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
inline double __dadd_rn(double x, double y) { return x + y; }
inline double __dmul_rn(double x, double y) { return x * y; }
inline int __float2int_rn(float x) { return (int)__builtin_rintf(x); }
inline int __float2int_rz(float x) { return (int)x; }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __mul24(int x, int y) { return x * y; }
inline unsigned __umulhi(unsigned x, unsigned y) { return ((unsigned long long)x * y) >> 32; }

template <class To, class From> inline To same_bits(From value) {
  static_assert(sizeof(To) == sizeof(From));
  To bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  return bits;
}
inline float __int_as_float(int x) { return same_bits<float>(x); }
inline float __uint_as_float(unsigned x) { return same_bits<float>(x); }
inline int __float_as_int(float x) { return same_bits<int>(x); }
inline unsigned __float_as_uint(float x) { return same_bits<unsigned>(x); }
inline double __longlong_as_double(long long x) { return same_bits<double>(x); }
inline long long __double_as_longlong(double x) { return same_bits<long long>(x); }

template <class T> inline T __ldg(const T* address) { return *address; }

// Atomics in the order of the threads. Where that order matters, the launch is refused.
template <class T> struct exactly { using type = T; };
template <class T> using same = typename exactly<T>::type;
template <class T, class New> inline T replaced(T* address, New compute) {
  T old = *address;
  *address = compute(old);
  return old;
}
#define CUDA_ATOMIC(name, result)                        \
  template <class T> inline T name(T* a, same<T> x) {    \
    return replaced(a, [=](T v) { return T(result); });  \
  }
CUDA_ATOMIC(atomicAdd, v + x)
CUDA_ATOMIC(atomicSub, v - x)
CUDA_ATOMIC(atomicExch, x)
CUDA_ATOMIC(atomicMin, x < v ? x : v)
CUDA_ATOMIC(atomicMax, x > v ? x : v)
#undef CUDA_ATOMIC
template <class T> inline T atomicCAS(T* a, same<T> is, same<T> x) {
  return replaced(a, [=](T v) { return v == is ? x : v; });
}
inline unsigned atomicInc(unsigned* a, unsigned x) {
  return replaced(a, [=](unsigned v) { return v >= x ? 0 : v + 1; });
}

// What the threads of a warp hand to each other

template <class T> inline T handed(int line, unsigned mask, T mine, int lane) {
  static_assert(sizeof(T) <= 8);
  T theirs;
  exchange(line, mask, &mine, lane, &theirs, sizeof(T));
  return theirs;
}
template <class T>
inline T shuffle(int line, unsigned mask, T mine, int from, int width = 32) {
  int first = lane_of_this_thread() & ~(width - 1);
  return handed(line, mask, mine, first | (from & (width - 1)));
}
template <class T>
inline T shuffle_up(int line, unsigned mask, T mine, unsigned by, int width = 32) {
  int lane = lane_of_this_thread(), from = lane - (int)by;
  return handed(line, mask, mine, from < (lane & ~(width - 1)) ? lane : from);
}
template <class T>
inline T shuffle_down(int line, unsigned mask, T mine, unsigned by, int width = 32) {
  int lane = lane_of_this_thread(), from = lane + (int)by;
  return handed(line, mask, mine, from > (lane | (width - 1)) ? lane : from);
}
template <class T>
inline T shuffle_xor(int line, unsigned mask, T mine, int with, int width = 32) {
  int lane = lane_of_this_thread(), from = lane ^ with;
  return handed(line, mask, mine, from > (lane | (width - 1)) ? lane : from);
}
inline unsigned ballot(int line, unsigned mask, int predicate) {
  unsigned votes = 0;
  for (int lane = 0; lane < 32; ++lane)
    if (handed(line, mask, predicate ? 1 : 0, lane) == 1) votes |= 1u << lane;
  return votes & mask;
}
#define __shfl_sync(...) cuda_on_host::shuffle(__LINE__, __VA_ARGS__)
#define __shfl_up_sync(...) cuda_on_host::shuffle_up(__LINE__, __VA_ARGS__)
#define __shfl_down_sync(...) cuda_on_host::shuffle_down(__LINE__, __VA_ARGS__)
#define __shfl_xor_sync(...) cuda_on_host::shuffle_xor(__LINE__, __VA_ARGS__)
#define __ballot_sync(mask, x) cuda_on_host::ballot(__LINE__, mask, x)
#define __any_sync(mask, x) (cuda_on_host::ballot(__LINE__, mask, x) != 0)
#define __all_sync(mask, x) (cuda_on_host::ballot(__LINE__, mask, !(x)) == 0)

template <class... Values> inline int printf(const char* format, Values... values) {
  return __builtin_printf(format, values...);
}
inline void* memset(void* to, int byte, size_t n) { return __builtin_memset(to, byte, n); }
inline void* memcpy(void* to, const void* from, size_t n) { return __builtin_memcpy(to, from, n); }

}  // namespace cuda_on_host
