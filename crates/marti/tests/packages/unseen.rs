//! Nobody learns whether another team has a package, also not by what the answer takes: for one that
//! others have, the store is asked the same as for one that never was (A.13).

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use store::StoreError;
use store::packages::{
    ContentHash, DataPackage, MemoryPackages, Owner, PackageChange, PackageFilter, PackageStore,
    PackageUsage, PackagesConfig, Upload, Viewer,
};
use tokio::io::AsyncRead;

use crate::shapes::{noise, publish, sha256};
use crate::support::Setup;

/// Packages that note what they are asked.
struct Asked {
    packages: MemoryPackages,
    calls: Arc<Mutex<Vec<&'static str>>>,
}

impl Asked {
    fn note(&self, call: &'static str) {
        self.calls.lock().unwrap().push(call);
    }
}

impl PackageStore for Asked {
    type Content = <MemoryPackages as PackageStore>::Content;

    async fn insert(
        &self,
        upload: Upload,
        content: impl AsyncRead + Send + Unpin,
    ) -> Result<DataPackage, StoreError> {
        self.note("insert");
        self.packages.insert(upload, content).await
    }

    async fn visit(
        &self,
        filter: &PackageFilter,
        visitor: impl FnMut(DataPackage) -> ControlFlow<()> + Send,
    ) -> Result<(), StoreError> {
        self.note("visit");
        self.packages.visit(filter, visitor).await
    }

    async fn count(&self, filter: &PackageFilter) -> Result<u64, StoreError> {
        self.note("count");
        self.packages.count(filter).await
    }

    async fn find(
        &self,
        hash: ContentHash,
        viewer: &Viewer,
    ) -> Result<Option<DataPackage>, StoreError> {
        self.note("find");
        self.packages.find(hash, viewer).await
    }

    async fn open(
        &self,
        hash: ContentHash,
        viewer: &Viewer,
    ) -> Result<(DataPackage, Self::Content), StoreError> {
        self.note("open");
        self.packages.open(hash, viewer).await
    }

    async fn update(
        &self,
        hash: ContentHash,
        viewer: &Viewer,
        change: PackageChange,
    ) -> Result<DataPackage, StoreError> {
        self.note("update");
        self.packages.update(hash, viewer, change).await
    }

    async fn remove(
        &self,
        hash: ContentHash,
        viewer: &Viewer,
        owner: &Owner,
    ) -> Result<(), StoreError> {
        self.note("remove");
        self.packages.remove(hash, viewer, owner).await
    }

    async fn remove_expired(&self) -> Result<u64, StoreError> {
        self.note("remove_expired");
        self.packages.remove_expired().await
    }

    async fn usage(&self) -> Result<PackageUsage, StoreError> {
        self.note("usage");
        self.packages.usage().await
    }
}

#[test]
fn a13_what_others_have_and_what_never_was_take_the_same_steps() {
    let calls = Arc::default();
    let packages = MemoryPackages::new(PackagesConfig::default());
    let server = Setup::isolated().over(Asked { packages, calls: Arc::clone(&calls) });
    let content = noise(900, 4_000);
    let theirs = sha256(&content);
    let never = sha256(b"never was");
    publish(&server, "creatorUid=A&team=Cyan&keyword=missionpackage", "x.zip", &content);
    let requests = [
        ("GET", "/Marti/sync/content?hash={hash}"),
        ("GET", "/Marti/sync/content?uid={hash}"),
        ("HEAD", "/Marti/sync/content?hash={hash}"),
        ("GET", "/Marti/sync/missionquery?hash={hash}"),
        ("GET", "/Marti/sync/search?hash={hash}"),
        ("GET", "/Marti/sync/{hash}/metadata"),
        ("GET", "/Marti/api/sync/search?uid={hash}"),
        ("GET", "/Marti/api/resources/{hash}"),
        ("GET", "/Marti/api/files/{hash}"),
        ("GET", "/Marti/api/sync/metadata/{hash}/tool"),
        ("PUT", "/Marti/api/sync/metadata/{hash}/tool"),
        ("PUT", "/Marti/api/sync/metadata/{hash}/expiration?expiration=-1"),
        ("PUT", "/Marti/api/files/{hash}/metadata?keywords=x"),
        ("DELETE", "/Marti/api/files/{hash}?creatorUid=A"),
        ("GET", "/Marti/sync/delete?hash={hash}&creatorUid=A"),
        ("GET", "/Marti/api/citrap/{hash}"),
        ("DELETE", "/Marti/api/citrap/{hash}"),
    ];
    for (method, target) in requests {
        let ask = |hash: &str| {
            calls.lock().unwrap().clear();
            let target = target.replace("{hash}", hash);
            let and = if target.contains('?') { '&' } else { '?' };
            let answer = server.ask(method, &format!("{target}{and}team=Red"), "", b"public");
            // Everything but the name of what was asked for, and the time of day.
            let head = answer.head.lines().filter(|line| !line.to_lowercase().starts_with("date:"));
            let told = [head.collect::<Vec<_>>().join("\n"), answer.text().replace(hash, "H")];
            (calls.lock().unwrap().clone(), told)
        };
        let (of_theirs, of_never) = (ask(&theirs), ask(&never));
        assert_eq!(of_theirs, of_never, "{method} {target}");
        assert!(of_theirs.0.len() <= 1, "{:?} for {method} {target}", of_theirs.0);
    }
}
