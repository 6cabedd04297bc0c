use uuid::Uuid;

use super::*;
use crate::acts::scene::{PROJECT, Scene, ada, eve, officer, owner, word};
use crate::domain::side::Side;
use crate::domain::user::{Profile, User};

/// Accounts for Ada and Eve, as the scene's actors have them.
fn with_people() -> Scene {
    let scene = Scene::new(Side::Low);
    for (actor, email) in [(ada(), "ada@example.org"), (eve(), "eve@example.org")] {
        let profile = Profile {
            name: actor.name.clone(),
            email: email.into(),
            ..Profile::default()
        };
        scene
            .act(move |tx, here| {
                let user = User::new(&profile)?;
                Ok(records::write(tx, here, actor.user.0, Body::User(user), false)?)
            })
            .unwrap();
    }
    scene
}

fn make(scene: &Scene, id: u128, members: &[&str]) -> Result<Object, Refusal> {
    let members = members.iter().map(|one| (*one).to_owned()).collect();
    let draft = Draft {
        name: format!("project {id}"),
        description: String::new(),
        members,
    };
    scene.act(move |tx, here| create(tx, &ada(), here, ProjectId(Uuid::from_u128(id)), &draft))
}

fn seen(scene: &Scene, actor: &Actor) -> usize {
    list(&scene.view(), actor, None, 50).unwrap().objects.len()
}

#[test]
fn members_are_named_by_id_or_address_and_see_the_project() {
    let scene = with_people();
    assert_eq!((seen(&scene, &eve()), seen(&scene, &owner())), (0, 1));
    make(&scene, 300, &["EVE@example.org"]).unwrap();
    // By id only whom one may see: else a project would tell the name behind it.
    let Err(Refusal::Invalid(wrong)) = make(&scene, 301, &[&eve().user.to_string()]) else {
        panic!("a scientist named somebody whom they may not see")
    };
    assert_eq!(wrong[0].field, "members[0]");
    make(&scene, 301, &[]).unwrap();
    let id = ProjectId(Uuid::from_u128(301));
    let by_id = vec![eve().user.to_string()];
    let listed = by_id.clone();
    scene
        .act(move |tx, here| change(tx, &officer(), here, id, None, Some(&listed)))
        .unwrap();
    // Who is a member already stays one by id.
    scene
        .act(move |tx, here| change(tx, &ada(), here, id, None, Some(&by_id)))
        .unwrap();
    make(&scene, 302, &[]).unwrap();
    assert_eq!((seen(&scene, &eve()), seen(&scene, &owner())), (2, 4));
    let Err(Refusal::Invalid(wrong)) = make(&scene, 303, &["eve@example.org", "nobody@example.org"]) else {
        panic!("a stranger became a member")
    };
    assert_eq!(wrong[0].field, "members[1]");
}

#[test]
fn a_list_of_addresses_tells_little_of_who_has_an_account() {
    let scene = with_people();
    let many: Vec<String> = (0..=MEMBERS_MAX).map(|n| format!("p{n}@example.org")).collect();
    let wrong = |members: &[String]| {
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        match make(&scene, 300, &members) {
            Err(Refusal::Invalid(wrong)) => wrong.into_iter().map(|it| it.field).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(wrong(&many), ["members"], "nothing of too many is looked up");
    assert_eq!(wrong(&many[1..]).len(), UNKNOWN_MAX);
    assert_eq!(seen(&scene, &ada()), 1);
}

#[test]
fn a_member_whose_account_is_gone_is_in_nobodys_way() {
    let scene = with_people();
    make(&scene, 300, &["eve@example.org"]).unwrap();
    let id = ProjectId(Uuid::from_u128(300));
    scene
        .act(|tx, here| {
            let body = records::object(tx, eve().user.0)?.unwrap().body;
            Ok(records::write(tx, here, eve().user.0, body, true)?)
        })
        .unwrap();
    let with = |listed: &[UserId]| {
        let listed: Vec<_> = listed.iter().map(UserId::to_string).collect();
        let changed = scene.act(move |tx, here| change(tx, &ada(), here, id, None, Some(&listed)));
        match changed.unwrap().body {
            Body::Project(project) => project.members,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(with(&[ada().user, eve().user]), [ada().user, eve().user]);
    assert_eq!(with(&[ada().user]), [ada().user]);
}

#[test]
fn its_creator_and_whoever_triages_may_change_it() {
    let scene = with_people();
    make(&scene, 300, &["eve@example.org"]).unwrap();
    let id = ProjectId(Uuid::from_u128(300));
    let by_eve = scene.act(move |tx, here| start(tx, &eve(), here, id));
    assert!(
        matches!(by_eve, Err(Refusal::Denied(_))),
        "a member sees it, and does not run it"
    );
    scene.act(move |tx, here| start(tx, &ada(), here, id)).unwrap();
    let again = scene
        .act(move |tx, here| start(tx, &officer(), here, id))
        .unwrap();
    assert_eq!(again.revision.number, 2, "starting twice changes nothing");
    let fewer = scene
        .act(move |tx, here| change(tx, &ada(), here, id, Some("new"), Some(&[])))
        .unwrap();
    let Body::Project(project) = fewer.body else {
        panic!("not a project")
    };
    assert_eq!(
        (project.members, project.started, project.description.as_str()),
        (vec![ada().user], true, "new")
    );
    let gone = scene.act(move |tx, here| start(tx, &eve(), here, id));
    assert!(
        matches!(gone, Err(Refusal::NotFound { .. })),
        "who is no member any more does not know of it"
    );
    scene.act(move |tx, here| delete(tx, &ada(), here, id)).unwrap();
    assert_eq!(scene.audited().last().unwrap(), "project.deleted");
}

#[test]
fn projects_begin_on_the_low_side() {
    let scene = Scene::new(Side::High);
    let draft = Draft {
        name: "x".into(),
        ..Draft::default()
    };
    let made = scene.act(move |tx, here| create(tx, &owner(), here, ProjectId(Uuid::from_u128(1)), &draft));
    assert_eq!(word(made), "wrong_side");
    assert!(matches!(
        scene.act(|tx, here| start(tx, &eve(), here, PROJECT)),
        Err(Refusal::NotFound { .. })
    ));
}

#[test]
fn members_know_each_others_names_and_only_whom_they_may_see_by_address() {
    let scene = with_people();
    let made = make(&scene, 300, &["eve@example.org"]).unwrap();
    let Body::Project(project) = made.body else {
        panic!("not a project")
    };
    let addresses = |actor: &Actor| {
        let members = members_of(&scene.view(), actor, &project).unwrap();
        assert!(
            members
                .iter()
                .all(|member| !member.name.contains('@') && !member.name.is_empty())
        );
        let with_address = members.into_iter().filter(|member| member.email.is_some());
        with_address.map(|member| member.id).collect::<Vec<_>>()
    };
    assert_eq!(addresses(&ada()), [ada().user]);
    assert_eq!(addresses(&eve()), [eve().user]);
    assert_eq!(addresses(&officer()).len(), 2);
}
