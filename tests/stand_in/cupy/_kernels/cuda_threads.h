// How a kernel runs on the processor: it stands behind the kernels.
//
// Blocks run one after the other. The threads of a block are fibres, each with a stack of its own,
// which hand over when they wait; a kernel that never waits runs as plain calls instead.

#undef __global__
#undef __device__
#undef __host__
#undef __constant__
#undef __noinline__
#undef assert
#undef printf
#undef NULL

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <type_traits>
#include <utility>

namespace cuda_on_host {

enum class State { ready, waits_for_block, waits_for_warp, ended };

struct Fibre {
  jmp_buf here;
  ucontext_t beginning;
  bool begun;
  State state;
  int line;       // where it waits
  unsigned mask;  // for whom
  uint3 index;
  unsigned char slot[8];  // what it hands to its warp
};

struct Failure {};

static const size_t stack_size = 256 << 10;
static Fibre fibres[1024];
static jmp_buf scheduler;
static Fibre* running = nullptr;  // none where threads are plain calls
static void (*body)(void**);
static void** arguments;
static char failure[512];

static void leave() {
  if (_setjmp(running->here) == 0) _longjmp(scheduler, 1);
}

static void live() {
  for (;;) {  // a fibre is used again for the same thread of the next block
    body(arguments);
    running->state = State::ended;
    leave();
  }
}

static void begin(Fibre* fibre) {
  if (fibre->beginning.uc_stack.ss_sp == nullptr) {
    void* stack = mmap(nullptr, stack_size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    mprotect(stack, 4096, PROT_NONE);  // a stack that is too small is a fault, not a wrong number
    fibre->beginning.uc_stack.ss_sp = stack;
  }
  stack_t stack = fibre->beginning.uc_stack;
  getcontext(&fibre->beginning);
  // Not all at the same place of a page, or they push each other out of the processor's caches.
  stack.ss_size = stack_size - (fibre - fibres) % 64 * 448;
  fibre->beginning.uc_stack = stack;
  fibre->beginning.uc_link = nullptr;
  makecontext(&fibre->beginning, live, 0);
  fibre->begun = true;
  setcontext(&fibre->beginning);
}

static __attribute__((noinline)) void resume(Fibre* fibre) {
  running = fibre;
  threadIdx = fibre->index;
  if (_setjmp(scheduler) == 0) {
    if (fibre->begun) _longjmp(fibre->here, 1);
    begin(fibre);
  }
}

static __attribute__((noinline)) void wait(State state, int line, unsigned mask) {
  running->state = state;
  running->line = line;
  running->mask = mask;
  leave();
  asm volatile("" ::: "memory");
}

[[noreturn]] __attribute__((noinline)) void fail(const char* what, int line) {
  snprintf(failure, sizeof failure, "line %d: %s (block %u %u %u, thread %u %u %u)", line, what,
           blockIdx.x, blockIdx.y, blockIdx.z, threadIdx.x, threadIdx.y, threadIdx.z);
  if (running == nullptr) throw Failure();
  for (;;) wait(State::ended, line, 0);
}

void wait_for_block(int line) {
  if (running == nullptr) fail("the stand-in did not see that this kernel waits", line);
  wait(State::waits_for_block, line, 0);
}

void wait_for_warp(int line, unsigned mask) {
  if (running == nullptr) fail("the stand-in did not see that this kernel waits", line);
  if (!(mask >> lane_of_this_thread() & 1)) fail("the mask names other threads only", line);
  wait(State::waits_for_warp, line, mask);
}

int lane_of_this_thread() { return (running - fibres) % 32; }

void exchange(int line, unsigned mask, const void* mine, int lane, void* theirs, unsigned size) {
  memcpy(running->slot, mine, size);
  wait_for_warp(line, mask);
  unsigned other = (running - fibres) / 32 * 32 + lane;
  bool there = (mask >> lane & 1) && other < blockDim.x * blockDim.y * blockDim.z;
  if (there) memcpy(theirs, fibres[other].slot, size);
  else memset(theirs, 0xff, size);
  wait_for_warp(line, mask);  // until then, nobody may fill a slot anew
}

// Let those go on who waited for each other. False where nobody can.
static bool release(unsigned threads) {
  bool released = false;
  for (unsigned first = 0; first < threads; first += 32) {
    unsigned waiting = 0, alive = 0, last = first + 32 < threads ? first + 32 : threads;
    for (unsigned t = first; t < last; ++t) {
      if (fibres[t].state == State::waits_for_warp) waiting |= 1u << (t - first);
      if (fibres[t].state != State::ended) alive |= 1u << (t - first);
    }
    for (unsigned t = first; t < last; ++t) {
      unsigned wanted = fibres[t].mask & alive;
      if (!(waiting >> (t - first) & 1) || (wanted & ~waiting)) continue;
      for (unsigned u = first; u < last; ++u) {
        if (!(wanted >> (u - first) & 1) || fibres[u].state != State::waits_for_warp) continue;
        if (fibres[u].line != fibres[t].line || fibres[u].mask != fibres[t].mask) {
          snprintf(failure, sizeof failure, "threads of a warp wait in lines %d and %d",
                   fibres[t].line, fibres[u].line);
          return false;
        }
      }
      for (unsigned u = first; u < last; ++u)
        if (wanted >> (u - first) & 1) fibres[u].state = State::ready, released = true;
      waiting &= ~wanted;
    }
  }
  if (released) return true;
  const Fibre* one = nullptr;
  unsigned waiting = 0;
  for (unsigned t = 0; t < threads; ++t) {
    if (fibres[t].state != State::waits_for_block) continue;
    ++waiting;
    if (one && one->line != fibres[t].line) {
      snprintf(failure, sizeof failure, "threads of a block wait in lines %d and %d", one->line,
               fibres[t].line);
      return false;
    }
    one = &fibres[t];
  }
  if (waiting < threads) {
    snprintf(failure, sizeof failure,
             "%u of %u threads wait in line %d, the others ended or wait elsewhere", waiting,
             threads, one ? one->line : 0);
    return false;
  }
  for (unsigned t = 0; t < threads; ++t) fibres[t].state = State::ready;
  return true;
}

static bool run_fibres(unsigned threads, bool descending) {
  for (unsigned t = 0; t < threads; ++t) fibres[t].state = State::ready;
  for (;;) {
    bool done = true;
    for (unsigned k = 0; k < threads; ++k) {
      Fibre* fibre = &fibres[descending ? threads - 1 - k : k];
      if (fibre->state == State::ready) resume(fibre);
      if (failure[0]) return false;
      if (fibre->state != State::ended) done = false;
    }
    if (done) return true;
    if (!release(threads)) return false;
  }
}

static uint3 place(unsigned k, dim3 size) {
  return {k % size.x, k / size.x % size.y, k / size.x / size.y};
}

static bool run_block(unsigned threads, bool waits, bool descending) {
  if (waits) {
    for (unsigned t = 0; t < threads; ++t) fibres[t].index = place(t, blockDim);
    bool ended = run_fibres(threads, descending);
    if (!ended) for (Fibre& fibre : fibres) fibre.begun = false;  // some stand in the middle
    running = nullptr;
    return ended;
  }
  for (unsigned k = 0; k < threads; ++k) {
    threadIdx = place(descending ? threads - 1 - k : k, blockDim);
    body(arguments);
  }
  return true;
}

// What the Python side asks about a kernel: a word for each parameter

static char words[4096];

template <class T> void add_word() {
  using Plain = std::remove_cv_t<T>;
  char* end = words + strlen(words);
  if constexpr (std::is_pointer_v<Plain>) {
    using Pointee = std::remove_pointer_t<Plain>;
    strcpy(end, std::is_const_v<Pointee> ? "c*" : "*");
    add_word<Pointee>();
  } else if constexpr (std::is_void_v<Plain>) {
    strcpy(end, "void");
  } else {
    const char* kind = std::is_same_v<Plain, bool>           ? "b"
                       : std::is_floating_point_v<Plain>     ? "f"
                       : !std::is_arithmetic_v<Plain>        ? "V"
                       : std::is_signed_v<Plain>             ? "i"
                                                             : "u";
    sprintf(end, "%s%d", kind, (int)sizeof(Plain));
  }
}

template <class... A> void add_words(void (*)(A...)) {
  words[0] = 0;
  ((add_word<A>(), strcat(words, " ")), ...);
}
template <auto kernel> void describe() { add_words(kernel); }

template <class... A, size_t... i>
void call(void (*kernel)(A...), void** given, std::index_sequence<i...>) {
  kernel(*static_cast<std::remove_const_t<A>*>(given[i])...);
}
template <class... A> std::index_sequence_for<A...> numbers(void (*)(A...));
template <auto kernel> void thread(void** given) {
  call(kernel, given, decltype(numbers(kernel))());
}

struct Kernel {
  const char* name;
  void (*body)(void**);
  void (*describe)();
  bool waits;
  unsigned most_threads;
  char *shared, *shared_end, *shared_of_functions, *shared_of_functions_end;
};

static size_t static_shared(const Kernel& kernel) {
  return (kernel.shared_end - kernel.shared) +
         (kernel.shared_of_functions_end - kernel.shared_of_functions);
}

static bool run_grid(const Kernel& kernel, unsigned dynamic, bool descending) {
  unsigned threads = blockDim.x * blockDim.y * blockDim.z;
  unsigned long long blocks = 1ull * gridDim.x * gridDim.y * gridDim.z;
  for (unsigned long long k = 0; k < blocks; ++k) {
    unsigned long long b = descending ? blocks - 1 - k : k;
    blockIdx = {unsigned(b % gridDim.x), unsigned(b / gridDim.x % gridDim.y),
                unsigned(b / gridDim.x / gridDim.y)};
    memset(kernel.shared, 0xff, kernel.shared_end - kernel.shared);
    memset(kernel.shared_of_functions, 0xff,
           kernel.shared_of_functions_end - kernel.shared_of_functions);
    memset(dynamic_shared, 0xff, dynamic + 256);
    if (!run_block(threads, kernel.waits, descending)) return false;
    for (unsigned i = 0; i < 256; ++i) {
      if (dynamic_shared[dynamic + i] == 0xff) continue;
      snprintf(failure, sizeof failure,
               "dynamic shared memory of %u bytes is written behind its end", dynamic);
      return false;
    }
  }
  return true;
}

static const char* run(const Kernel& kernel, const unsigned* sizes, unsigned dynamic, void** given,
                       int descending) {
  gridDim = dim3(sizes[0], sizes[1], sizes[2]);
  blockDim = dim3(sizes[3], sizes[4], sizes[5]);
  body = kernel.body;
  arguments = given;
  running = nullptr;
  failure[0] = 0;
  try {
    run_grid(kernel, dynamic, descending);
  } catch (const Failure&) {
  }
  return failure;
}

}  // namespace cuda_on_host
