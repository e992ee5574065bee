use std::cell::Cell;

use store::testing::package_contract;

use crate::support::open_with;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packages_in_sqlite_keep_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let number = Cell::new(0);
    package_contract(async |config| {
        number.set(number.get() + 1);
        open_with(dir.path().join(number.get().to_string()), config).await
    })
    .await;
}
