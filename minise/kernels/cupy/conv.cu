// The three passes of a convolution, each one matrix product (see product.cuh). No copy of the image
// is made ("implicit GEMM"): the factors are looked up where they are.
//
// Each of G groups has C channels and F filters of its own. WINDOW is `{KH, KW, …}`, what the kernel
// is given, or for windows that are common the numbers themselves: to divide by those is cheap.

struct Window {
    int KH, KW, SH, SW, PH, PW, DH, DW;  // size, stride, padding, dilation, each down and across
};

// The pixel of a map of x that tap (i, j) meets at the output pixel (oh, ow); padding is 0.
__device__ T met(const T* map, int H, int W, Window v, int i, int j, int oh, int ow) {
    int h = oh * v.SH - v.PH + i * v.DH, w = ow * v.SW - v.PW + j * v.DW;
    return h < 0 || h >= H || w < 0 || w >= W ? T(0) : map[h * W + w];
}

// y[f, (n, oh, ow)] = Σ over (c, i, j) of w[f, (c, i, j)] · x[(c, i, j), (n, oh, ow)]
extern "C" __global__ void conv2d(
    const T* x, const T* w, T* y, int N, int G, int C, int H, int W, int F, int OH, int OW,
    int KH, int KW, int SH, int SW, int PH, int PW, int DH, int DW) {
    const Window v = WINDOW;
    int g = blockIdx.z, K = C * v.KH * v.KW;
    product<false>(
        F, N * OH * OW, 0, K,
        [=](int f, int k) { return w[(g * F + f) * K + k]; },
        [=](int k, int pixel) {
            int c = k / (v.KH * v.KW), i = k / v.KW % v.KH, j = k % v.KW;
            int n = pixel / (OH * OW), oh = pixel / OW % OH, ow = pixel % OW;
            const T* map = x + ((n * G + g) * C + c) * H * W;
            return met(map, H, W, v, i, j, oh, ow);
        },
        [=](int f, int pixel, T value) {
            int n = pixel / (OH * OW), place = pixel % (OH * OW);
            y[((n * G + g) * F + f) * OH * OW + place] = value;
        });
}

// dx[c, (n, h, w)] = Σ over (f, i, j) of w[f, (c, i, j)] · dy[f, the pixel that tap (i, j) of w made]
extern "C" __global__ void conv2d_dx(
    const T* dy, const T* w, T* dx, int N, int G, int C, int H, int W, int F, int OH, int OW,
    int KH, int KW, int SH, int SW, int PH, int PW, int DH, int DW) {
    const Window v = WINDOW;
    int g = blockIdx.z;
    product<false>(
        C, N * H * W, 0, F * v.KH * v.KW,
        [=](int c, int k) {
            int f = k / (v.KH * v.KW), tap = k % (v.KH * v.KW);
            return w[((g * F + f) * C + c) * (v.KH * v.KW) + tap];
        },
        [=](int k, int pixel) {
            int f = k / (v.KH * v.KW), i = k / v.KW % v.KH, j = k % v.KW;
            int n = pixel / (H * W), row = pixel / W % H, column = pixel % W;
            int down = row + v.PH - i * v.DH, across = column + v.PW - j * v.DW;
            if (down < 0 || down % v.SH || across < 0 || across % v.SW) return T(0);
            int oh = down / v.SH, ow = across / v.SW;
            if (oh >= OH || ow >= OW) return T(0);
            return dy[(((n * G + g) * F + f) * OH + oh) * OW + ow];
        },
        [=](int c, int pixel, T value) {
            int n = pixel / (H * W), place = pixel % (H * W);
            dx[((n * G + g) * C + c) * H * W + place] = value;
        });
}

// dw[f, (c, i, j)] = Σ over (n, oh, ow) of dy[f, (n, oh, ow)] · x[(c, i, j), (n, oh, ow)]
//
// That sum is long and dw is small, so the sum is cut into `parts` of `pixels` pixels, each made by
// blocks of its own: dw is (parts, G·F, C, KH, KW), to be summed over its first axis.
extern "C" __global__ void conv2d_dw(
    const T* dy, const T* x, T* dw, int N, int G, int C, int H, int W, int F, int OH, int OW,
    int KH, int KW, int SH, int SW, int PH, int PW, int DH, int DW,
    int pixels) {
    const Window v = WINDOW;
    int g = blockIdx.z % G, part = blockIdx.z / G;
    int first = part * pixels, last = min(first + pixels, N * OH * OW), taps = C * v.KH * v.KW;
    product<true>(
        F, taps, first, last,
        [=](int f, int pixel) {
            int n = pixel / (OH * OW), place = pixel % (OH * OW);
            return dy[((n * G + g) * F + f) * OH * OW + place];
        },
        [=](int pixel, int k) {
            int c = k / (v.KH * v.KW), i = k / v.KW % v.KH, j = k % v.KW;
            int n = pixel / (OH * OW), oh = pixel / OW % OH, ow = pixel % OW;
            const T* map = x + ((n * G + g) * C + c) * H * W;
            return met(map, H, W, v, i, j, oh, ow);
        },
        [=](int f, int k, T value) { dw[((part * G + g) * F + f) * taps + k] = value; });
}
