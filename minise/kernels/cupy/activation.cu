// Activations and their derivatives, a thread for each number.

// 1 / (1 + exp(−v)); the exponent is never positive, so nothing overflows
__device__ T sigma(T v) {
    T e = exp(v >= 0 ? -v : v);
    return (v >= 0 ? 1 : e) / (1 + e);
}

// v/width + 1/2, cut off at 0 and 1
__device__ T ramp(T v, T width) {
    T r = v / width + T(0.5);
    return r < 0 ? 0 : r > 1 ? 1 : r;
}

extern "C" __global__ void sigmoid(const T* x, T* y, int count) {
    int i = element();
    if (i < count) y[i] = sigma(x[i]);
}

extern "C" __global__ void relu_backward(const T* dy, const T* y, T* dx, int count) {
    int i = element();
    if (i < count) dx[i] = y[i] > 0 ? dy[i] : 0;
}

extern "C" __global__ void sigmoid_backward(const T* dy, const T* y, T* dx, int count) {
    int i = element();
    if (i < count) dx[i] = dy[i] * y[i] * (1 - y[i]);
}

extern "C" __global__ void tanh_backward(const T* dy, const T* y, T* dx, int count) {
    int i = element();
    if (i < count) dx[i] = dy[i] * (1 - y[i] * y[i]);
}

extern "C" __global__ void hard_sigmoid(const T* x, T* y, int count, T width) {
    int i = element();
    if (i < count) y[i] = ramp(x[i], width);
}

extern "C" __global__ void hard_sigmoid_backward(const T* dy, const T* x, T* dx, int count, T width) {
    int i = element();
    if (i < count) dx[i] = x[i] > -width / 2 && x[i] < width / 2 ? dy[i] / width : 0;
}

extern "C" __global__ void silu(const T* x, T* y, int count) {
    int i = element();
    if (i < count) y[i] = x[i] * sigma(x[i]);
}

extern "C" __global__ void silu_backward(const T* dy, const T* x, T* dx, int count) {
    int i = element();
    if (i >= count) return;
    T s = sigma(x[i]);
    dx[i] = dy[i] * s * (1 + x[i] * (1 - s));
}

extern "C" __global__ void hard_swish(const T* x, T* y, int count) {
    int i = element();
    if (i < count) y[i] = x[i] * ramp(x[i], 6);
}

extern "C" __global__ void hard_swish_backward(const T* dy, const T* x, T* dx, int count) {
    int i = element();
    if (i < count) dx[i] = x[i] >= 3 ? dy[i] : x[i] > -3 ? dy[i] * (x[i] / 3 + T(0.5)) : 0;
}

extern "C" __global__ void leaky_relu(const T* x, T* y, int count, T slope) {
    int i = element();
    if (i < count) y[i] = x[i] > 0 ? x[i] : slope * x[i];
}

extern "C" __global__ void leaky_relu_backward(const T* dy, const T* x, T* dx, int count, T slope) {
    int i = element();
    if (i < count) dx[i] = x[i] > 0 ? dy[i] : slope * dy[i];
}

extern "C" __global__ void clip_backward(const T* dy, const T* x, T* dx, int count, T low, T high) {
    int i = element();
    if (i < count) dx[i] = x[i] > low && x[i] < high ? dy[i] : 0;
}
