// A step of an optimiser over all parameters at once. `values`, `grads` and so on are tables of
// addresses, one for each parameter, and `sizes` how many numbers each has. blockIdx.y is the
// parameter, and the blocks of one row share its numbers out.
//
// `finite`, where it is given, is 1 as long as every gradient was finite, and nothing moves once it
// is 0.

#define FOR_EACH_NUMBER(i) \
    for (int i = element(); i < sizes[blockIdx.y]; i += gridDim.x * blockDim.x)

extern "C" __global__ void check_finite(const T* const* grads, const int* sizes, int* finite) {
    FOR_EACH_NUMBER(i) if (!isfinite(grads[blockIdx.y][i])) *finite = 0;
}

// v ← μ v + g,   w ← w − lr · v, or with Nesterov w ← w − lr · (g + μ v);   g has decay · w in it
extern "C" __global__ void sgd(
    T* const* values, const T* const* grads, T* const* velocities, const int* sizes,
    const int* finite, const T* decays, const T* lr, T momentum, bool nesterov) {
    if (finite && !*finite) return;
    T *w = values[blockIdx.y], *velocity = velocities[blockIdx.y];
    const T* gradient = grads[blockIdx.y];
    T decay = decays[blockIdx.y], rate = *lr;
    FOR_EACH_NUMBER(i) {
        T g = gradient[i] + decay * w[i];
        T v = momentum * velocity[i] + g;
        velocity[i] = v;
        w[i] -= rate * (nesterov ? g + momentum * v : v);
    }
}

// m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²,   w ← w − lr · (m̂ / (√v̂ + eps) + decay · w)
//
// `steps` counts this step already: m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ).
extern "C" __global__ void adamw(
    T* const* values, const T* const* grads, T* const* ms, T* const* vs, const int* sizes,
    const int* finite, const T* decays, const T* lr, const double* steps, T beta1, T beta2, T eps) {
    if (finite && !*finite) return;
    T *w = values[blockIdx.y], *m = ms[blockIdx.y], *v = vs[blockIdx.y];
    const T* gradient = grads[blockIdx.y];
    T decay = decays[blockIdx.y], rate = *lr;
    T m_share = T(1 - pow(double(beta1), *steps)), v_share = T(1 - pow(double(beta2), *steps));
    FOR_EACH_NUMBER(i) {
        T g = gradient[i];
        m[i] += (1 - beta1) * (g - m[i]);
        v[i] += (1 - beta2) * (g * g - v[i]);
        w[i] *= 1 - rate * decay;
        w[i] -= rate * (m[i] / m_share) / (sqrt(v[i] / v_share) + eps);
    }
}
