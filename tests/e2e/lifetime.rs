//! A node's life: set-up, stopping, being killed, starting again.

use serde_json::json;

use crate::world::{World, over, text};

const PATIENT: &str = "
import time
def wait(women):
    print('waiting')
    time.sleep(3600)
";

#[test]
fn a_node_that_dies_in_a_run_finds_it_interrupted_and_loses_nothing() {
    let mut world = World::new();
    let pima = world.publish_pima();
    let project = world.project();
    let code = world.scientist.post(
        "/codes",
        &json!({
            "name": "wait", "source": PATIENT, "entry_point": "wait",
            "input_policy": {"women": {"asset": pima.asset}}, "output_policy": "single_execution",
        }),
    );
    let request = world.request(&project, &text(&code["id"]), "to wait");
    world.carry_up();
    world.approve(&request);
    let run = world
        .owner
        .post(&format!("/requests/{request}/runs"), &json!({"data": "private"}));
    let run = text(&run["id"]);
    world
        .owner
        .wait_for(&format!("/runs/{run}"), |run| run["state"] == "running");
    world.high.kill();
    world.high.start();
    world.sign_in_again();
    let found = over(&world.owner, &run);
    assert_eq!(found["state"], "interrupted");
    assert_eq!(
        world.owner.get(&format!("/requests/{request}"))["status"]["state"],
        "approved"
    );
    assert_eq!(world.owner.try_get("/audit/verification").0, 200);
    // An interrupted run did not succeed, so the policy allows another; this one is cancelled.
    let next = text(
        &world
            .owner
            .post(&format!("/requests/{request}/runs"), &json!({"data": "private"}))["id"],
    );
    world
        .owner
        .wait_for(&format!("/runs/{next}"), |run| run["state"] == "running");
    world
        .owner
        .post(&format!("/runs/{next}/cancellation"), &json!({}));
    assert_eq!(over(&world.owner, &next)["state"], "cancelled");
    assert!(world.high.stop().success(), "SIGTERM stops it cleanly");
    assert!(world.low.stop().success());
}
