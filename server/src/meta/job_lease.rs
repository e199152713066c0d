//! Leases on work that one server does at a time.

use super::{Meta, MetaError};

impl Meta {
    /// Takes the lease on a job for `owner` until a time, microseconds; whether nobody else has it. Who has it already
    /// renews it. A lease that ends later than any could was taken by a clock that ran ahead, and does not count.
    pub(crate) async fn take_job(
        &self,
        job: &str,
        owner: &str,
        now_us: i64,
        lease_us: i64,
    ) -> Result<bool, MetaError> {
        let mut transaction = self.begin_write().await?;
        let held: Option<(String, i64)> =
            sqlx::query_as("SELECT owner, leased_until FROM job_leases WHERE name = $1")
                .bind(job.to_owned())
                .fetch_optional(&mut *transaction)
                .await?;
        let sql = match held {
            Some((holder, until_us))
                if holder != owner && now_us < until_us && until_us <= now_us.saturating_add(lease_us) =>
            {
                return Ok(false);
            }
            Some(_) => "UPDATE job_leases SET owner = $1, leased_until = $2 WHERE name = $3",
            None => "INSERT INTO job_leases (owner, leased_until, name) VALUES ($1, $2, $3)",
        };
        sqlx::query(sql)
            .bind(owner.to_owned())
            .bind(now_us.saturating_add(lease_us))
            .bind(job.to_owned())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Ends the lease on a job, whoever has it: for a process that is the only one with these metadata.
    pub(crate) async fn end_job(&self, job: &str) -> Result<(), MetaError> {
        sqlx::query("DELETE FROM job_leases WHERE name = $1")
            .bind(job.to_owned())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Gives the lease on a job back.
    pub(crate) async fn give_job_back(&self, job: &str, owner: &str) -> Result<(), MetaError> {
        sqlx::query("DELETE FROM job_leases WHERE name = $1 AND owner = $2")
            .bind(job.to_owned())
            .bind(owner.to_owned())
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::on_every_backend;

    #[tokio::test]
    async fn a_job_has_one_owner_until_its_lease_ends() {
        on_every_backend(|meta| async move {
            let take = async |owner: &str, now_us| meta.take_job("j", owner, now_us, 10).await.unwrap();
            assert!(take("a", 100).await);
            assert!(!take("b", 105).await);
            assert!(take("a", 105).await, "renewed");
            assert!(!take("b", 114).await);
            assert!(take("b", 115).await, "run out");
            meta.give_job_back("j", "a").await.unwrap();
            assert!(!take("a", 116).await, "somebody else's");
            meta.give_job_back("j", "b").await.unwrap();
            assert!(take("a", 116).await);
            assert!(take("b", 5).await, "taken by a clock that ran ahead");
        })
        .await;
    }
}
