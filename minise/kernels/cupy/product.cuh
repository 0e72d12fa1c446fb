// A matrix product whose factors are looked up as it goes, Y[m, n] = Σ A(m, k) · B(k, n) over k.
//
// A block makes TM × TN numbers of Y. It walks along k in steps of TK: its threads look up a tile of
// A and one of B, put them into shared memory, and each multiplies what it needs for RM × RN numbers
// of its own. A warp has RM whole rows: all its threads read the same numbers of A, RM in a row, and
// neighbouring ones of B. While a tile is multiplied the next one is on its way.

constexpr int THREADS = 128, WARP = 32, TK = 16;
constexpr int TOGETHER = sizeof(T) == 4 ? 4 : 2;  // blocks that shall find room for their registers
constexpr int RM = TM / (THREADS / WARP), RN = TN / WARP;
static_assert(TM % (THREADS / TK) == 0 && THREADS % TN == 0, "tiles fit the threads");

// Where in its array a factor stands, or that it is a 0 of the padding, and stands nowhere.
struct Where {
    int offset;
    bool inside;
};

// This thread's share of a tile of TK × SIZE numbers. Neighbouring threads look up what lies side by
// side in memory: numbers along k where ALONG_K, else along the other axis, i.
template <int SIZE, bool ALONG_K>
struct Share {
    static constexpr int COUNT = TK * SIZE / THREADS;
    T numbers[COUNT];

    __device__ static int k(int e) {
        if (ALONG_K) return threadIdx.x % TK;
        return SIZE == THREADS ? e : threadIdx.x / SIZE + e * (THREADS / SIZE);
    }

    __device__ static int i(int e) {
        return ALONG_K ? threadIdx.x / TK + e * (THREADS / TK) : threadIdx.x % SIZE;
    }

    // From row or column i0 and step k0 on; 0 from I and K on. All are asked for before one is used.
    template <class Look>
    __device__ void fetch(const T* from, Look look, int i0, int I, int k0, int K) {
        for (int e = 0; e < COUNT; e++) {
            int at = i0 + i(e), step = k0 + k(e);
            Where where = look(at, step);
            numbers[e] = where.inside && at < I && step < K ? from[where.offset] : T(0);
        }
    }

    template <int ROW>
    __device__ void put(T (&tile)[TK][ROW]) const {
        for (int e = 0; e < COUNT; e++) tile[k(e)][i(e)] = numbers[e];
    }
};

// `in_a(m, k)` says where in a, `in_b(n, k)` where in b; `y(m, n, value)` writes. m < M, n < N, and k
// from k0 up to K. What lies side by side in b are the numbers along k where ALONG_K, else along n.
template <bool ALONG_K, class A, class B, class Y>
__device__ void product(int M, int N, int k0, int K, const T* a, A in_a, const T* b, B in_b, Y y) {
    // A row of A is read 16 bytes at a time. The + keep threads that write off each other's banks.
    __shared__ __align__(16) T left[TK][TM + 4], right[TK][TN + 2];
    Share<TM, true> of_a;
    Share<TN, ALONG_K> of_b;
    int m0 = blockIdx.y * TM, n0 = blockIdx.x * TN;
    int row = threadIdx.x / WARP * RM, column = threadIdx.x % WARP;
    T sum[RM][RN] = {};
    of_a.fetch(a, in_a, m0, M, k0, K);
    of_b.fetch(b, in_b, n0, N, k0, K);
    for (; k0 < K; k0 += TK) {
        of_a.put(left);
        of_b.put(right);
        __syncthreads();
        of_a.fetch(a, in_a, m0, M, k0 + TK, K);
        of_b.fetch(b, in_b, n0, N, k0 + TK, K);
        for (int k = 0; k < TK; k++)
            for (int j = 0; j < RN; j++) {
                T from_right = right[k][column + j * WARP];
                for (int i = 0; i < RM; i++) sum[i][j] += left[k][row + i] * from_right;
            }
        __syncthreads();
    }
    for (int i = 0; i < RM; i++)
        for (int j = 0; j < RN; j++) {
            int m = m0 + row + i, n = n0 + column + j * WARP;
            if (m < M && n < N) y(m, n, sum[i][j]);
        }
}
