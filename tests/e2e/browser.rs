//! A real browser, driven by WebDriver (W3C), which is JSON over HTTP.
//!
//! Each [`Browser`] is a Chromium of its own with a profile of its own. What a page is judged by whenever one is looked at
//! stands in [`Browser::check`]: axe-core finds nothing, the page does not scroll sideways at either width, nothing was
//! loaded from elsewhere, and nothing was refused by the page's own policy.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::Agent;

use crate::node::PASSWORD;

/// The widths, in pixels, at which every page must be usable.
pub const WIDTHS: [u32; 2] = [1280, 390];
/// How long a condition may take to come true. Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// How WebDriver names an element in JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one window.
pub struct Browser {
    driver: Child,
    session: String,
    agent: Agent,
    /// The node that it looks at.
    node: String,
    _profile: TempDir,
}

/// Where the browser and axe-core are. `scripts/test` installs both and says where.
struct Tools {
    driver: PathBuf,
    axe: String,
}

/// What the tests need, or none where it cannot be had: said aloud, and an error where `CI` is set.
fn tools() -> Option<&'static Tools> {
    static TOOLS: OnceLock<Option<Tools>> = OnceLock::new();
    TOOLS
        .get_or_init(|| {
            let found = find();
            if let Err(missing) = &found {
                assert!(std::env::var_os("CI").is_none(), "{missing}");
                eprintln!("SKIPPED, no page was looked at: {missing}");
            }
            found.ok()
        })
        .as_ref()
}

fn find() -> Result<Tools, String> {
    let driver = ["/usr/bin/chromedriver", "/usr/local/bin/chromedriver"]
        .into_iter()
        .map(PathBuf::from)
        .find(|path| path.is_file())
        .ok_or(
            "the tests of the pages need Chromium and its driver; run scripts/test, which installs them",
        )?;
    let axe = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/axe/node_modules/axe-core/axe.min.js");
    let axe = std::fs::read_to_string(&axe).map_err(|error| {
        format!(
            "{}: {error}; run scripts/test, which installs axe-core",
            axe.display()
        )
    })?;
    Ok(Tools { driver, axe })
}

/// A driver and its port; none if it ends before it listens.
fn start_driver(program: &Path, home: &Path) -> Option<(Child, u16)> {
    let mut driver = Command::new(program)
        .arg("--port=0")
        .env("HOME", home)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let port = lines.map_while(Result::ok).find_map(|line| {
        let (_, port) = line.split_once("started successfully on port ")?;
        port.trim_end_matches('.').parse::<u16>().ok()
    });
    if port.is_none() {
        driver.wait().unwrap();
    }
    port.map(|port| (driver, port))
}

impl Browser {
    /// A browser that looks at a node, or none where there is no browser; then the test is skipped aloud.
    pub fn at(node: &str) -> Option<Self> {
        let tools = tools()?;
        let profile = tempfile::tempdir().unwrap();
        // A driver takes a port that is free for IPv4, and ends if the same one is not free for IPv6.
        let (driver, port) = (0..10)
            .find_map(|_| start_driver(&tools.driver, profile.path()))
            .expect("a driver says on which port it listens");
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(180)))
            .build();
        let mut browser = Self {
            driver,
            session: format!("http://127.0.0.1:{port}/session"),
            agent: agent.into(),
            node: node.to_owned(),
            _profile: profile,
        };
        let folder = browser._profile.path().join("profile").display().to_string();
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--force-color-profile=srgb",
            "--hide-scrollbars",
            "--lang=en",
            &format!("--user-data-dir={folder}"),
        ];
        let made = browser.ask(
            "POST",
            "",
            &json!({"capabilities": {"alwaysMatch": {
                "browserName": "chrome", "goog:chromeOptions": {"args": arguments},
                "goog:loggingPrefs": {"browser": "ALL"},
            }}}),
        );
        let id = made["sessionId"].as_str().unwrap();
        browser.session = format!("{}/{id}", browser.session);
        browser.width(WIDTHS[0]);
        Some(browser)
    }

    fn try_ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, Value> {
        let address = format!("{}{path}", self.session);
        let answer = match method {
            "GET" => self.agent.get(&address).call(),
            "DELETE" => self.agent.delete(&address).call(),
            _ => self.agent.post(&address).send_json(body),
        };
        let mut answer = answer.unwrap();
        let said = answer
            .body_mut()
            .with_config()
            .limit(1 << 28)
            .read_json::<Value>();
        let said = said.unwrap()["value"].take();
        if answer.status().is_success() {
            Ok(said)
        } else {
            Err(said)
        }
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        self.try_ask(method, path, body)
            .unwrap_or_else(|error| panic!("{path}: {}", error["message"]))
    }

    /// Opens a page of the node by its path, and judges it.
    #[track_caller]
    pub fn visit(&self, path: &str) {
        let url = format!("{}{path}", self.node);
        self.ask("POST", "/url", &json!({ "url": url }));
    }

    /// The address of the page without the node's own.
    pub fn path(&self) -> String {
        let url = self.ask("GET", "/url", &Value::Null);
        let url = url.as_str().unwrap();
        url.strip_prefix(&self.node).unwrap_or(url).to_owned()
    }

    /// The window that is driven.
    pub fn window(&self) -> String {
        let handle = self.ask("GET", "/window", &Value::Null);
        handle.as_str().unwrap().to_owned()
    }

    /// Drives another window from now on: that one, or a new one.
    pub fn drive(&self, window: Option<&str>) {
        let handle = match window {
            Some(window) => window.to_owned(),
            None => {
                let opened = self.ask("POST", "/window/new", &json!({"type": "tab"}));
                opened["handle"].as_str().unwrap().to_owned()
            }
        };
        self.ask("POST", "/window", &json!({ "handle": handle }));
    }

    /// Runs a script in the page; what it returns.
    #[track_caller]
    pub fn run(&self, script: &str, arguments: &Value) -> Value {
        self.ask(
            "POST",
            "/execute/sync",
            &json!({"script": script, "args": arguments}),
        )
    }

    /// Sets the width of the page, and a height that shows a good part of it.
    pub fn width(&self, width: u32) {
        let metrics = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.cdp("Emulation.setDeviceMetricsOverride", &metrics);
        // The page hears of its new width with the next frame.
        self.ask(
            "POST",
            "/execute/async",
            &json!({"args": [], "script": "
                const [done] = arguments;
                requestAnimationFrame(() => requestAnimationFrame(() => done(null)));
            "}),
        );
    }

    /// Chooses dark or light, as the reader's system would.
    pub fn dark(&self, dark: bool) {
        let scheme = if dark { "dark" } else { "light" };
        // Without transitions: what is judged is what stays.
        let features = json!({"features": [
            {"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"},
        ]});
        self.cdp("Emulation.setEmulatedMedia", &features);
    }

    fn cdp(&self, command: &str, parameters: &Value) -> Value {
        self.ask(
            "POST",
            "/goog/cdp/execute",
            &json!({"cmd": command, "params": parameters}),
        )
    }

    /// The elements that an XPath finds.
    fn find(&self, xpath: &str) -> Vec<String> {
        let found = self.ask("POST", "/elements", &json!({"using": "xpath", "value": xpath}));
        let found = found.as_array().unwrap().iter();
        found
            .map(|one| one[ELEMENT].as_str().unwrap().to_owned())
            .collect()
    }

    /// The one element that an XPath finds first; `what` says what it would have been.
    #[track_caller]
    fn one(&self, what: &str, xpath: &str) -> String {
        let found = self.find(xpath);
        found
            .into_iter()
            .next()
            .unwrap_or_else(|| panic!("there is no {what} on {}:\n{}", self.path(), self.text()))
    }

    /// Clicks an element, in the middle of the window: at its edge a bar that stays in view may lie over it.
    #[track_caller]
    fn press(&self, element: &str) {
        self.run(
            "arguments[0].scrollIntoView({block: 'center'})",
            &json!([{ELEMENT: element}]),
        );
        self.ask("POST", &format!("/element/{element}/click"), &json!({}));
    }

    /// Clicks a link or button by what it says, and waits for the page that this leads to.
    #[track_caller]
    pub fn click(&self, label: &str) {
        let says = format!("normalize-space()={}", quoted(label));
        let xpath = format!("//main//a[{says}] | //main//button[{says}] | //main//summary[{says}]");
        let mut found = self.find(&xpath);
        if found.is_empty() {
            found = self.find(&format!("//a[{says}] | //button[{says}]"));
        }
        let element = found.into_iter().next();
        let element = element.unwrap_or_else(|| {
            panic!(
                "there is nothing to click that says {label:?} on {}:\n{}",
                self.path(),
                self.text()
            )
        });
        self.press(&element);
    }

    /// Clicks a link or button within the part of the page that holds some text: a row, an item of a list, a card.
    #[track_caller]
    pub fn click_beside(&self, text: &str, label: &str) {
        let holds = format!("[contains(normalize-space(),{})]", quoted(text));
        let xpath = format!(
            "(//tr{holds} | //li{holds} | //section{holds} | //form{holds})[last()]//*[(self::a or self::button) and \
             normalize-space()={}]",
            quoted(label)
        );
        let element = self.one(&format!("{label:?} beside {text:?}"), &xpath);
        self.press(&element);
    }

    /// The control under a label.
    #[track_caller]
    fn labelled(&self, label: &str) -> String {
        let exact = format!("//label[normalize-space(text())={}]", quoted(label));
        let label_of = self.one(&format!("field {label:?}"), &exact);
        let id = self.ask("GET", &format!("/element/{label_of}/attribute/for"), &Value::Null);
        let id = id.as_str().expect("a label is for a control");
        self.one(
            &format!("control for {label:?}"),
            &format!("//*[@id={}]", quoted(id)),
        )
    }

    /// Fills in the field under a label, in place of what stands there.
    #[track_caller]
    pub fn fill(&self, label: &str, text: &str) {
        let control = self.labelled(label);
        self.ask("POST", &format!("/element/{control}/clear"), &json!({}));
        self.ask(
            "POST",
            &format!("/element/{control}/value"),
            &json!({ "text": text }),
        );
    }

    /// Sets the field under a label at once, for text that is too long to be typed.
    #[track_caller]
    pub fn paste(&self, label: &str, text: &str) {
        let control = self.labelled(label);
        self.run(
            "arguments[0].value = arguments[1]",
            &json!([{ELEMENT: control}, text]),
        );
    }

    /// Chooses an entry of the list under a label.
    #[track_caller]
    pub fn choose(&self, label: &str, entry: &str) {
        let control = self.labelled(label);
        let chosen = self.run(
            "const at = [...arguments[0].options].findIndex(o => o.text.trim() === arguments[1]); \
             arguments[0].selectedIndex = at; arguments[0].dispatchEvent(new Event('change')); return at",
            &json!([{ELEMENT: control}, entry]),
        );
        assert_ne!(chosen, json!(-1), "{label:?} has no entry {entry:?}");
    }

    /// Checks or unchecks the box under a label.
    #[track_caller]
    pub fn check_box(&self, label: &str) {
        let control = self.labelled(label);
        self.press(&control);
    }

    /// Names a file in the field under a label.
    #[track_caller]
    pub fn attach(&self, label: &str, file: &std::path::Path) {
        let control = self.labelled(label);
        let file = file.display().to_string();
        self.ask(
            "POST",
            &format!("/element/{control}/value"),
            &json!({ "text": file }),
        );
    }

    /// What can be read on the page.
    pub fn text(&self) -> String {
        let text = self.run("return document.body ? document.body.innerText : ''", &json!([]));
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until some text can be read on the page, or on the one that comes in its place. The driver is asked again and
    /// again: a script that waited in the page would be lost with it.
    #[track_caller]
    pub fn see(&self, text: &str) {
        let until = Instant::now() + PATIENCE;
        let body = json!({"args": [text], "script": "return !!document.body && document.body.innerText.includes(arguments[0])"});
        while self.try_ask("POST", "/execute/sync", &body) != Ok(json!(true)) {
            assert!(
                Instant::now() < until,
                "{text:?} is not on {}:\n{}",
                self.path(),
                self.text()
            );
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// That some text cannot be read on the page.
    #[track_caller]
    pub fn see_not(&self, text: &str) {
        assert!(!self.text().contains(text), "{text:?} is on {}", self.path());
    }

    /// The page's HTML as it is now.
    pub fn html(&self) -> String {
        self.run("return document.documentElement.outerHTML", &json!([]))
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// The bytes at a path, fetched as the page would.
    #[track_caller]
    pub fn fetch(&self, path: &str) -> Vec<u8> {
        let fetched = self.ask(
            "POST",
            "/execute/async",
            &json!({"args": [path], "script": "
                const [path, done] = arguments;
                fetch(path).then(async answer => done([answer.status, [...new Uint8Array(await answer.arrayBuffer())]]));
            "}),
        );
        assert_eq!(fetched[0], json!(200), "{path}");
        serde_json::from_value(fetched[1].clone()).unwrap()
    }

    /// Signs in on the sign-in page.
    #[track_caller]
    pub fn sign_in(&self, email: &str) {
        self.visit("/sign-in");
        self.fill("E-mail address", email);
        self.fill("Password", PASSWORD);
        self.click("Sign in");
        self.see("Sign out");
    }

    /// Judges the page that is open, at both widths and in both colour schemes.
    #[track_caller]
    pub fn check(&self) {
        for width in WIDTHS {
            self.width(width);
            let wide = self.run(
                "const page = document.scrollingElement; return [page.scrollWidth, window.innerWidth]",
                &json!([]),
            );
            let (content, window) = (wide[0].as_u64().unwrap(), wide[1].as_u64().unwrap());
            assert!(
                content <= window,
                "{} scrolls sideways at {width}: {content}",
                self.path()
            );
            for dark in [false, true] {
                self.dark(dark);
                self.keep_picture(width, dark);
                self.axe(&format!("{} at {width}, dark: {dark}", self.path()));
            }
        }
        self.dark(false);
        self.width(WIDTHS[0]);
        self.stays_here();
    }

    /// Keeps a picture of each page that is judged, for people to look at, in the folder that `POUNDLOCK_TEST_PICTURES`
    /// names. Of pages with one title it is the largest file, which is the fullest page.
    fn keep_picture(&self, width: u32, dark: bool) {
        let Some(folder) = std::env::var_os("POUNDLOCK_TEST_PICTURES") else {
            return;
        };
        let title = self.run("return document.title", &json!([]));
        let title: String = title
            .as_str()
            .unwrap()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .take(60)
            .collect();
        let scheme = if dark { "dark" } else { "light" };
        let path = PathBuf::from(folder).join(format!("{title}-{width}-{scheme}.png"));
        let picture = self.picture();
        let kept = std::fs::metadata(&path).map_or(0, |kept| kept.len());
        if u64::try_from(picture.len()).unwrap() > kept {
            std::fs::write(path, picture).unwrap();
        }
    }

    #[track_caller]
    fn axe(&self, what: &str) {
        let axe = &tools().unwrap().axe;
        if self.run("return typeof axe", &json!([])) != json!("object") {
            self.run(&format!("{axe}\nreturn null"), &json!([]));
        }
        let found = self.ask(
            "POST",
            "/execute/async",
            &json!({"args": [], "script": "
                const done = arguments[0];
                axe.run(document, {resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})
                    .then(found => done(found.violations.map(v =>
                        v.id + ': ' + v.help + '\\n  ' + v.nodes.map(n => n.html + ' ' + n.failureSummary).join('\\n  '))),
                        error => done(['axe: ' + error]));
            "}),
        );
        let found: Vec<_> = found
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        assert!(found.is_empty(), "{what}\n{}", found.join("\n"));
    }

    /// Nothing on the page came from elsewhere, and its own policy had nothing to refuse.
    #[track_caller]
    fn stays_here(&self) {
        let loaded = self.run(
            "return performance.getEntriesByType('resource').map(entry => entry.name)",
            &json!([]),
        );
        for url in loaded.as_array().unwrap() {
            let url = url.as_str().unwrap();
            assert!(
                url.starts_with(&format!("{}/", self.node)),
                "{} loads {url}",
                self.path()
            );
        }
        let log = self.ask("POST", "/se/log", &json!({"type": "browser"}));
        for entry in log.as_array().unwrap() {
            let message = entry["message"].as_str().unwrap_or_default();
            // A page that was refused on purpose is told as a failed load by the browser.
            assert!(
                message.contains("Failed to load resource") || entry["level"] == "INFO",
                "{}: {message}",
                self.path()
            );
        }
    }

    /// A picture of the whole page as PNG.
    pub fn picture(&self) -> Vec<u8> {
        let shot = self.cdp(
            "Page.captureScreenshot",
            &json!({"format": "png", "captureBeyondViewport": true}),
        );
        let data = shot["data"].as_str().unwrap();
        data_encoding::BASE64.decode(data.as_bytes()).unwrap()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends Chromium with it; a driver that is only killed would leave it behind.
        let _ended = self.try_ask("DELETE", "", &Value::Null);
        let _gone = self.driver.kill();
        let _reaped = self.driver.wait();
    }
}

/// A string as XPath writes it.
fn quoted(text: &str) -> String {
    if text.contains('\'') {
        format!("\"{text}\"")
    } else {
        format!("'{text}'")
    }
}
