// Activations and their derivatives, a thread for each number.

// 1 / (1 + exp(−x)); the exponent is never positive, so nothing overflows
extern "C" __global__ void sigmoid(const T* x, T* y, int count) {
    int i = element();
    if (i >= count) return;
    T e = exp(x[i] >= 0 ? -x[i] : x[i]);
    y[i] = (x[i] >= 0 ? 1 : e) / (1 + e);
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

extern "C" __global__ void hard_sigmoid(const T* x, T* y, int count) {
    int i = element();
    if (i >= count) return;
    T v = x[i] / 6 + T(0.5);
    y[i] = v < 0 ? 0 : v > 1 ? 1 : v;
}

extern "C" __global__ void hard_sigmoid_backward(const T* dy, const T* x, T* dx, int count) {
    int i = element();
    if (i < count) dx[i] = x[i] > -3 && x[i] < 3 ? dy[i] / 6 : 0;
}
