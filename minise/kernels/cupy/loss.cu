// Softmax and cross-entropy: a block for each row of K scores.
//
// p and q (N, K) are the predicted and the target probabilities, losses (N,) = −Σ q · log p. A label
// that is not a class makes its loss NaN: refusing it would mean waiting for the GPU.

__device__ T block_max(T value) {
    __shared__ T tree[256];
    tree[threadIdx.x] = value;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) {
            T other = tree[threadIdx.x + half];
            if (!(tree[threadIdx.x] >= other) && !isnan(tree[threadIdx.x])) tree[threadIdx.x] = other;
        }
        __syncthreads();
    }
    return tree[0];
}

extern "C" __global__ void softmax_cross_entropy(
    const T* scores, const long long* labels, T* p, T* q, T* losses, T smoothing, int K) {
    long long first = (long long)blockIdx.x * K, label = labels[blockIdx.x];
    T largest = -infinity();
    for (int k = threadIdx.x; k < K; k += blockDim.x) {
        T score = scores[first + k];
        if (!(largest >= score) && !isnan(largest)) largest = score;
    }
    largest = block_max(largest);
    T sum = 0;
    for (int k = threadIdx.x; k < K; k += blockDim.x) sum += exp(scores[first + k] - largest);
    T log_sum = log(block_sum(sum));
    T loss = 0;
    for (int k = threadIdx.x; k < K; k += blockDim.x) {
        T log_p = scores[first + k] - largest - log_sum;
        T wanted = (k == label ? 1 - smoothing : 0) + smoothing / K;
        p[first + k] = exp(log_p);
        q[first + k] = wanted;
        loss -= wanted * log_p;
    }
    loss = block_sum(loss);
    if (threadIdx.x == 0) losses[blockIdx.x] = label < 0 || label >= K ? infinity() - infinity() : loss;
}
