// A matrix product whose factors are looked up as it goes, Y[m, n] = Σ A(m, k) · B(k, n) over k.
//
// A block makes TM × TN numbers of Y. It walks along k in steps of TK: all threads look up a tile of
// A and one of B into shared memory, then each thread multiplies what it needs for its RM × RN
// numbers, so that each number that was looked up is used TM or TN times.

constexpr int THREADS = 256, TK = 16;
constexpr int COLUMNS = TN / RN, ROWS = THREADS / COLUMNS;  // of threads
static_assert(ROWS * RM == TM && THREADS % TM == 0 && THREADS % TN == 0, "tiles fit the threads");

// `a(m, k)`, `b(k, n)` look up, `y(m, n, value)` writes. m < M, n < N, and k from k0 up to K.
// Where ALONG_K, the pixels that lie beside each other in memory are those of k, else those of n.
template <bool ALONG_K, class A, class B, class Y>
__device__ void product(int M, int N, int k0, int K, A a, B b, Y y) {
    __shared__ T left[TK][TM + 1], right[TK][TN + 1];  // + 1: a column is spread over all banks
    int m0 = blockIdx.y * TM, n0 = blockIdx.x * TN;
    int row = threadIdx.x / COLUMNS, column = threadIdx.x % COLUMNS;
    T sum[RM][RN] = {};
    for (; k0 < K; k0 += TK) {
        for (int e = threadIdx.x; e < TK * TM; e += THREADS) {
            int k = ALONG_K ? e % TK : e / TM, m = ALONG_K ? e / TK : e % TM;
            left[k][m] = m0 + m < M && k0 + k < K ? a(m0 + m, k0 + k) : T(0);
        }
        for (int e = threadIdx.x; e < TK * TN; e += THREADS) {
            int k = ALONG_K ? e % TK : e / TN, n = ALONG_K ? e / TK : e % TN;
            right[k][n] = n0 + n < N && k0 + k < K ? b(k0 + k, n0 + n) : T(0);
        }
        __syncthreads();
        for (int k = 0; k < TK; k++) {
            T from_left[RM], from_right[RN];
            for (int i = 0; i < RM; i++) from_left[i] = left[k][row + i * ROWS];
            for (int j = 0; j < RN; j++) from_right[j] = right[k][column + j * COLUMNS];
            for (int i = 0; i < RM; i++)
                for (int j = 0; j < RN; j++) sum[i][j] += from_left[i] * from_right[j];
        }
        __syncthreads();
    }
    for (int i = 0; i < RM; i++)
        for (int j = 0; j < RN; j++) {
            int m = m0 + row + i * ROWS, n = n0 + column + j * COLUMNS;
            if (m < M && n < N) y(m, n, sum[i][j]);
        }
}
