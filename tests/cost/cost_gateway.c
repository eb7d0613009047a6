/* The gateway's core: what a client sends until it is acknowledged, and what 40 sockets are told.
 */
#include "tests/cost/cost.h"
#include "tests/unit/gateway/gateway_scene.h"

enum { MEMBERS = 40, IN_FLIGHT = 8 };

static scene_t scene;

static void set_up(void) {
    scene_init(&scene);
    scene_start(&scene);
    for (size_t socket = 1; socket <= MEMBERS; socket++) {
        scene_connect(&scene, socket % 2 ? "a" : "b");
        scene_joined(&scene, socket, 0);
    }
}

static void tear_down(void) {
    scene_fini(&scene);
}

static void delivery(size_t number) {
    scene_new_message(&scene, "conv_a_b", number + 1, "b");
    scene_forget(&scene);
}

static void send_as(const char *client_id, uint64_t ack) {
    char payload[200];
    snprintf(payload, sizeof(payload),
             "{\"conversationId\":\"conv_a_b\",\"text\":\"a message of ordinary length, as people "
             "write them\",\"clientId\":\"%s\"}",
             client_id);
    scene_event(&scene, 1, "send_message", payload, ack);
}

/* The sender has others under way meanwhile. */
static void set_up_sending(void) {
    char client_id[32];
    scene_init(&scene);
    scene_start(&scene);
    scene_connect(&scene, "a");
    scene_joined(&scene, 1, 0);
    for (unsigned i = 1; i < IN_FLIGHT; i++) {
        snprintf(client_id, sizeof(client_id), "under-way-%u", i);
        send_as(client_id, i);
    }
    scene_forget(&scene);
}

static void sending(size_t number) {
    char client_id[32];
    snprintf(client_id, sizeof(client_id), "c%zu", number + 1); /* as in scene_new_message() */
    send_as(client_id, IN_FLIGHT + number);
    scene_overtake(&scene, MSG_SEND);
    scene_stored(&scene, number + 1, "a", client_id);
    scene_answer(&scene, MSG_SEND, MSG_STORED);
    scene_new_message(&scene, "conv_a_b", number + 1, "a");
    scene_forget(&scene);
}

static void typing(size_t number) {
    (void)number;
    scene_event(&scene, 1, "typing", "{\"conversationId\":\"conv_a_b\"}", 0);
    while (scene.request_count) {
        scene_request_t request = scene_take_request(&scene, 0);
        free(request.body);
    }
    scene_forget(&scene);
}

int main(int argc, char **argv) {
    static const cost_path_t paths[] = {
        {"delivery", set_up, delivery, tear_down},
        {"sending", set_up_sending, sending, tear_down},
        {"typing", set_up, typing, tear_down},
    };
    return cost_main(paths, sizeof(paths) / sizeof(paths[0]), argc, argv);
}
