#include "progress.h"

#include <stdio.h>
#include <unistd.h>

enum { LONG_WORK = 50, WIDTH = 30, REDRAW_MS = 100 };

void progress_begin(struct progress *progress, int64_t total)
{
    *progress = (struct progress){
        .on = total >= LONG_WORK && isatty(STDERR_FILENO), .total = total, .clock = clock_system()};
    progress->begun_ms = clock_mono_ms(&progress->clock);
}

static void draw(const struct progress *progress, int64_t now_ms)
{
    int full = (int)(progress->done * WIDTH / progress->total);
    int64_t left_s =
        (now_ms - progress->begun_ms) * (progress->total - progress->done) / progress->done / 1000;

    fprintf(stderr, "\r[%.*s%*s] %3d %%  %lld of %lld", full, "##############################", WIDTH - full,
            "", (int)(progress->done * 100 / progress->total), (long long)progress->done,
            (long long)progress->total);
    if (left_s > 0)
        fprintf(stderr, ", %lld s left", (long long)left_s);
    fputs("\033[K", stderr);
}

void progress_step(struct progress *progress)
{
    progress_to(progress, progress->done + 1);
}

void progress_to(struct progress *progress, int64_t done)
{
    progress->done = done < progress->total ? done : progress->total;
    if (!progress->on || done <= 0)
        return;
    int64_t now_ms = clock_mono_ms(&progress->clock);
    if (now_ms - progress->drawn_ms < REDRAW_MS && progress->done < progress->total)
        return;
    progress->drawn_ms = now_ms;
    draw(progress, now_ms);
}

void progress_clear(struct progress *progress)
{
    if (progress->on)
        fputs("\r\033[K", stderr);
}
