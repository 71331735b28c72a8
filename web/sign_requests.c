#include "web/sign_requests.h"

#include <string.h>

static void list_append(struct sign_request_list *list, struct sign_request *request)
{
    request->prev = list->last;
    request->next = NULL;
    *(list->last != NULL ? &list->last->next : &list->first) = request;
    list->last = request;
}

static void list_remove(struct sign_request_list *list, struct sign_request *request)
{
    *(request->prev != NULL ? &request->prev->next : &list->first) = request->next;
    *(request->next != NULL ? &request->next->prev : &list->last) = request->prev;
}

struct sign_request *sign_requests_add(struct sign_requests *requests, struct signer_wait *wait, uint64_t deadline)
{
    struct sign_request *request = requests->free;
    if (request != NULL)
        requests->free = request->next;
    else if (requests->num_touched < LIMIT_SIGN_PENDING)
        request = &requests->places[requests->num_touched++];
    if (request == NULL) return NULL;
    request->wait = wait;
    request->deadline = deadline;
    request->state = REQUEST_SENT;
    list_append(&requests->waiting, request);
    return request;
}

static void leave_waiting(struct sign_requests *requests, struct sign_request *request)
{
    if (requests->first_queued == request) requests->first_queued = request->next;
    list_remove(&requests->waiting, request);
}

void sign_requests_remove(struct sign_requests *requests, struct sign_request *request)
{
    if (request->state == REQUEST_QUEUED || request->state == REQUEST_SENT)
        leave_waiting(requests, request);
    else if (request->wait != NULL)
        list_remove(&requests->answered, request);
    request->wait = NULL;
    request->generation = (request->generation + 1) & INT32_MAX;
    request->state = REQUEST_FREE;
    request->next = requests->free;
    requests->free = request;
}

uint64_t sign_request_id(const struct sign_requests *requests, const struct sign_request *request)
{
    return (uint64_t)request->generation << 32 | (uint64_t)(request - requests->places + 1);
}

struct sign_request *sign_requests_find(struct sign_requests *requests, uint64_t id)
{
    uint64_t place = (id & UINT32_MAX) - 1;
    if (place >= requests->num_touched) return NULL;
    struct sign_request *request = &requests->places[place];
    return request->state != REQUEST_FREE && request->generation == id >> 32 ? request : NULL;
}

static void end_waiting(struct sign_requests *requests, struct sign_request *request, enum sign_request_state state)
{
    leave_waiting(requests, request);
    request->state = state;
    list_append(&requests->answered, request);
}

void sign_requests_answer(struct sign_requests *requests, struct sign_request *request, struct bytes signature)
{
    memcpy(request->signature, signature.data, signature.len);
    request->len = signature.len;
    end_waiting(requests, request, REQUEST_SIGNED);
}

void sign_requests_fail(struct sign_requests *requests, struct sign_request *request, const char *why)
{
    request->wait->failure = why;
    end_waiting(requests, request, REQUEST_FAILED);
}

void sign_requests_fail_all(struct sign_requests *requests, const char *why)
{
    while (requests->waiting.first != NULL) sign_requests_fail(requests, requests->waiting.first, why);
}

void sign_requests_tell(struct sign_requests *requests)
{
    struct sign_request *request;
    while ((request = requests->answered.first) != NULL) {
        struct signer_wait *wait = request->wait;
        list_remove(&requests->answered, request);
        request->wait = NULL; /* in no list from here on; the handshake finds it by the wait's id */
        wait->ready(wait->context);
    }
}
