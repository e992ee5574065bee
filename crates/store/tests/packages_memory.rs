//! The model keeps the contract that other stores keep.

use store::packages::MemoryPackages;
use store::testing::package_contract;

#[tokio::test]
async fn packages_in_memory_keep_the_contract() {
    package_contract(async |config| MemoryPackages::new(config)).await;
}
