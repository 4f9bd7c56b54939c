import { call } from "./call.ts";
import { fail, type Outcome, ok } from "./outcome.ts";

/** What setup asks of a Supabase project besides its database. */
export function supabaseOf(url: string, serviceKey: string) {
  const root = url.replace(/\/+$/, "");
  const asService = {
    apikey: serviceKey,
    authorization: `Bearer ${serviceKey}`,
    "content-type": "application/json",
  };
  const settingsPage = "https://supabase.com/dashboard/project/_/settings/api-keys";

  return {
    /** Finds a bucket that only the hub can read, and makes it before unless `make` is false. */
    async bucket(bucket: string, make = true): Promise<Outcome> {
      const name = "media";
      const storage = `${root}/storage/v1/bucket`;
      if (make)
        // It answers 400 if there is one.
        await call(storage, {
          method: "POST",
          headers: asService,
          body: JSON.stringify({ id: bucket, name: bucket, public: false }),
        });
      const found = await call<{ public?: boolean }>(`${storage}/${encodeURIComponent(bucket)}`, {
        headers: asService,
      });
      if (found.status !== 200)
        return fail(
          name,
          `Supabase Storage has no bucket ${bucket}: it answers ${found.status}`,
          "https://supabase.com/dashboard/project/_/storage/buckets",
        );
      return found.body.public
        ? fail(name, `anybody can read the bucket ${bucket}`, "make it private, or name another MEDIA_BUCKET")
        : ok(name, `uploads lie in the private bucket ${bucket}`);
    },

    /** Whether the project takes its public key for sign-ins. */
    async signIn(publicKey: string): Promise<Outcome> {
      const name = "desk";
      const { status } = await call(`${root}/auth/v1/settings`, { headers: { apikey: publicKey } });
      return status === 200
        ? ok(name, "staff sign in with Supabase Auth")
        : fail(name, `Supabase Auth does not take the public key (${status})`, settingsPage);
    },

    /** Sends somebody an invitation by e-mail, with which they choose a password. Somebody who has an account keeps it. */
    async invite(email: string): Promise<Outcome> {
      const name = "desk invitation";
      const { status, body } = await call<{ error_code?: string }>(`${root}/auth/v1/invite`, {
        method: "POST",
        headers: asService,
        body: JSON.stringify({ email }),
      });
      if (status === 200) return ok(name, `sent to ${email}`);
      if (status === 422 || body.error_code === "email_exists")
        return ok(name, `${email} has an account already`);
      return fail(
        name,
        `Supabase Auth answers ${status}`,
        "https://supabase.com/dashboard/project/_/auth/users",
      );
    },
  };
}
