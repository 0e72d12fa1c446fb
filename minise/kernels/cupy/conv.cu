// The three passes of a convolution, each one matrix product (see product.cuh). No copy of the image
// is made ("implicit GEMM"): the factors are looked up where they are.
//
// Each of G groups has C channels and F filters of its own. WINDOW is `{KH, KW, …}`, what the kernel
// is given, or for windows that are common the numbers themselves: to divide by those is cheap.

struct Window {
    int KH, KW, SH, SW, PH, PW, DH, DW;  // size, stride, padding, dilation, each down and across
};

// The pixels of N images, map by map and row by row.
struct Pixels {
    Divisor by_map, by_row;

    __device__ Pixels(int H, int W) : by_map(H * W), by_row(W) {}

    struct Place {
        int n, h, w;
    };

    __device__ Place operator()(int pixel) const {
        Divided image = by_map(pixel), place = by_row(image.rest);
        return {image.quotient, place.quotient, place.rest};
    }
};

// Where in x the pixel is that tap (c, i, j) of a filter of group g meets, for a pixel (n, oh, ow) of
// the output.
struct Met {
    int G, C, H, W, g;
    Window v;
    Pixels outputs;

    __device__ Where operator()(int pixel, unsigned tap) const {
        auto [n, oh, ow] = outputs(pixel);
        unsigned KH = v.KH, KW = v.KW;
        int c = tap / (KH * KW), i = tap / KW % KH, j = tap % KW;
        int top = oh * v.SH - v.PH, left = ow * v.SW - v.PW, down = i * v.DH, across = j * v.DW;
        bool inside = unsigned(top + down) < unsigned(H) && unsigned(left + across) < unsigned(W);
        int corner = top * W + left;  // the same for every tap, and the rest for every pixel
        return {(n * G + g) * C * H * W + corner + (c * H + down) * W + across, inside};
    }
};

// y[f, (n, oh, ow)] = Σ over (c, i, j) of w[f, (c, i, j)] · x[(c, i, j), (n, oh, ow)]
extern "C" __global__ void __launch_bounds__(THREADS, TOGETHER) conv2d(
    const T* x, const T* w, T* y, int N, int G, int C, int H, int W, int F, int OH, int OW,
    int KH, int KW, int SH, int SW, int PH, int PW, int DH, int DW) {
    const Window v = WINDOW;
    int g = blockIdx.z, taps = C * v.KH * v.KW;
    Divisor by_map(OH * OW);
    product<false>(
        F, N * OH * OW, 0, taps,
        w, [=](int f, int tap) { return Where{(g * F + f) * taps + tap, true}; },
        x, Met{G, C, H, W, g, v, Pixels(OH, OW)},
        [=](int f, int pixel, T value) {
            auto [n, place] = by_map(pixel);
            y[((n * G + g) * F + f) * OH * OW + place] = value;
        });
}

// dx[c, (n, h, w)] = Σ over (f, i, j) of w[f, (c, i, j)] · dy[f, the pixel that tap (i, j) of w made]
extern "C" __global__ void __launch_bounds__(THREADS, TOGETHER) conv2d_dx(
    const T* dy, const T* w, T* dx, int N, int G, int C, int H, int W, int F, int OH, int OW,
    int KH, int KW, int SH, int SW, int PH, int PW, int DH, int DW) {
    const Window v = WINDOW;
    int g = blockIdx.z, taps = v.KH * v.KW;
    Pixels inputs(H, W);
    product<false>(
        C, N * H * W, 0, F * taps,
        w,
        [=](int c, unsigned k) {
            int f = k / taps, tap = k % taps;
            return Where{((g * F + f) * C + c) * taps + tap, true};
        },
        dy,
        [=](int pixel, unsigned k) {
            auto [n, h, w] = inputs(pixel);
            unsigned KH = v.KH, KW = v.KW;
            int f = k / taps, i = k / KW % KH, j = k % KW;
            int down = h + v.PH - i * v.DH, across = w + v.PW - j * v.DW;
            int oh = down / v.SH, ow = across / v.SW;
            bool inside = down >= 0 && across >= 0 && down % v.SH == 0 && across % v.SW == 0 &&
                oh < OH && ow < OW;
            return Where{(((n * G + g) * F + f) * OH + oh) * OW + ow, inside};
        },
        [=](int c, int pixel, T value) {
            auto [n, place] = inputs.by_map(pixel);
            dx[((n * G + g) * C + c) * H * W + place] = value;
        });
}

// dw[f, (c, i, j)] = Σ over (n, oh, ow) of dy[f, (n, oh, ow)] · x[(c, i, j), (n, oh, ow)]
//
// That sum is long and dw is small, so the sum is cut into `parts` of `pixels` pixels, each made by
// blocks of its own: dw is (parts, G·F, C, KH, KW), to be summed over its first axis.
extern "C" __global__ void __launch_bounds__(THREADS, TOGETHER) conv2d_dw(
    const T* dy, const T* x, T* dw, int N, int G, int C, int H, int W, int F, int OH, int OW,
    int KH, int KW, int SH, int SW, int PH, int PW, int DH, int DW,
    int pixels) {
    const Window v = WINDOW;
    int g = blockIdx.z % G, part = blockIdx.z / G;
    int first = part * pixels, last = min(first + pixels, N * OH * OW), taps = C * v.KH * v.KW;
    Divisor by_map(OH * OW);
    Met met{G, C, H, W, g, v, Pixels(OH, OW)};
    product<true>(
        F, taps, first, last,
        dy,
        [=](int f, int pixel) {
            auto [n, place] = by_map(pixel);
            return Where{((n * G + g) * F + f) * OH * OW + place, true};
        },
        x, [=](int tap, int pixel) { return met(pixel, tap); },
        [=](int f, int tap, T value) { dw[((part * G + g) * F + f) * taps + tap] = value; });
}
