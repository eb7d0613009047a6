/* The broker's core: a message from its SEND to everybody told, and a typing event. */
#include "tests/cost/cost.h"
#include "tests/unit/broker/broker_scene.h"

enum { GATEWAYS = 2, MEMBERS = 50 };

static scene_t scene;
static uint64_t jobs; /* that the broker has given out */

static void set_up(void) {
    scene_init(&scene);
    scene.config.rooms.max_memberships_per_gateway = 1000;
    scene_start(&scene);
    scene_up(&scene, "g1", 0, 0);
    scene_up(&scene, "g2", 0, 0);
    scene_up(&scene, "w1", 100, 100);
    for (uint64_t i = 0; i < MEMBERS; i++) {
        scene_join(&scene, i % GATEWAYS ? "g1" : "g2",
                   &(scene_head_t){"conv_1_2", i % 2 ? "1" : "2", 5 + i, 1});
        scene_conversation(&scene, "w1", ++jobs);
    }
    scene_forget(&scene);
}

static void message(size_t number) {
    const scene_head_t head = {"conv_1_2", "1", 6, 1000 + number};
    scene_send(&scene, "g1", &head);
    scene_stored(&scene, "w1", &(scene_head_t){"conv_1_2", "1", 6, 70 + number}, ++jobs,
                 number + 1);
    scene_forget(&scene);
}

static void typing(size_t number) {
    scene_typing(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 6, 0}, number % 2 == 0);
    scene_forget(&scene);
}

static void tear_down(void) {
    scene_fini(&scene);
}

int main(int argc, char **argv) {
    static const cost_path_t paths[] = {
        {"message", set_up, message, tear_down},
        {"typing", set_up, typing, tear_down},
    };
    return cost_main(paths, sizeof(paths) / sizeof(paths[0]), argc, argv);
}
