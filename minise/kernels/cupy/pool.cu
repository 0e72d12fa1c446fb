// Pooling over windows. Backward, a pixel *gathers* from all windows it lies in, so that each pixel is
// written by one thread, and sums are always in the same order.

struct Window {
    int KH, KW, SH, SW, PH, PW;  // size, stride, padding, each down and across
};

extern "C" __global__ void max_pool2d(
    const T* x, T* y, int* winner, int count, int H, int W, int OH, int OW,
    int KH, int KW, int SH, int SW, int PH, int PW) {
    int i = element();
    if (i >= count) return;
    int ow = i % OW, oh = i / OW % OH;
    const T* pixels = x + (long long)(i / OW / OH) * H * W;
    T largest = -infinity();
    int tap = -1;
    for (int a = 0; a < KH; a++)
        for (int b = 0; b < KW; b++) {
            int h = oh * SH - PH + a, w = ow * SW - PW + b;
            if (h < 0 || h >= H || w < 0 || w >= W) continue;
            T pixel = pixels[h * W + w];
            if (tap < 0 || pixel > largest || (isnan(pixel) && !isnan(largest))) {
                largest = pixel;
                tap = a * KW + b;
            }
        }
    y[i] = largest;
    winner[i] = tap;
}

// The share of pixel (h, w) in every window: what `share(oh, ow, tap)` gives, summed.
template <class Share>
__device__ T gathered(int h, int w, int OH, int OW, Window v, Share share) {
    T sum = 0;
    for (int a = 0; a < v.KH; a++)
        for (int b = 0; b < v.KW; b++) {
            int down = h + v.PH - a, across = w + v.PW - b;
            if (down < 0 || down % v.SH || across < 0 || across % v.SW) continue;
            int oh = down / v.SH, ow = across / v.SW;
            if (oh < OH && ow < OW) sum += share(oh * OW + ow, a * v.KW + b);
        }
    return sum;
}

extern "C" __global__ void max_pool2d_backward(
    const T* dy, const int* winner, T* dx, int count, int H, int W, int OH, int OW,
    int KH, int KW, int SH, int SW, int PH, int PW) {
    int i = element();
    if (i >= count) return;
    long long first = (long long)(i / W / H) * OH * OW;
    dx[i] = gathered(i / W % H, i % W, OH, OW, {KH, KW, SH, SW, PH, PW}, [=](int place, int tap) {
        return winner[first + place] == tap ? dy[first + place] : T(0);
    });
}

// `pixels` (OH, OW) says how many each window averages over.
extern "C" __global__ void avg_pool2d(
    const T* x, const T* pixels, T* y, int count, int H, int W, int OH, int OW,
    int KH, int KW, int SH, int SW, int PH, int PW) {
    int i = element();
    if (i >= count) return;
    int ow = i % OW, oh = i / OW % OH;
    const T* map = x + (long long)(i / OW / OH) * H * W;
    T sum = 0;
    for (int a = 0; a < KH; a++)
        for (int b = 0; b < KW; b++) {
            int h = oh * SH - PH + a, w = ow * SW - PW + b;
            if (h >= 0 && h < H && w >= 0 && w < W) sum += map[h * W + w];
        }
    y[i] = sum / pixels[oh * OW + ow];
}

extern "C" __global__ void avg_pool2d_backward(
    const T* dy, const T* pixels, T* dx, int count, int H, int W, int OH, int OW,
    int KH, int KW, int SH, int SW, int PH, int PW) {
    int i = element();
    if (i >= count) return;
    const T* above = dy + (long long)(i / W / H) * OH * OW;
    dx[i] = gathered(i / W % H, i % W, OH, OW, {KH, KW, SH, SW, PH, PW}, [=](int place, int tap) {
        return above[place] / pixels[place];
    });
}
