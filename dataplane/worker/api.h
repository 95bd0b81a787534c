/* api.h - the table of functions behind include/flyover. */
#ifndef FLY_WORKER_API_H
#define FLY_WORKER_API_H

#include <flyover/task.h>

const struct fly_calls *fly_api_calls(void);

#endif
