#pragma once

#include "guest.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

void scheduling(void);
void process_one(void);
void waiting_threads(void);
void many_arguments(void);
