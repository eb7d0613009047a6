/* A fixed set of keys for the fuzzers, and one token that each of them accepts. The private halves
 * were thrown away. */
#pragma once

#include "auth-worker/keys.h"

#define FUZZ_NOW_MS INT64_C(1700000000000)
#define FUZZ_SECRET "0123456789abcdef0123456789abcdef"
/* clang-format off */
#define FUZZ_RSA_PEM \
    "-----BEGIN PUBLIC KEY-----\n" \
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAxPqwHn1rY15vTar6e2bQ\n" \
    "XHtyavZR7PlOWH6alt61ThJCSjErgmJeOjdxvP0wz8NCHpcI3Mosd3NXYXt1MVs/\n" \
    "7+yK6ZG4chwOj9WbiuMjY5FsrGFlVle6bUgd0O7r228BFwX3QEM6pXrWohD2OtTA\n" \
    "XI/vpMAituKdJJ/qyRVDD6u0n/1xrm7Tm2rCQJgkRjjoKA1XvJaT/yJWAFKHWkLP\n" \
    "vV/Ts20WYL8VNX5OfvFxkSeDzYqVZ4JWFpcguNwjmQ30RpEqmOSIGV11fr5Oa14M\n" \
    "mMrTZYy8bBIt8VNbUCzecngyskfiqarUdN1vGWq22S3cqYIp+fmJp3mtUw2W8e2R\n" \
    "QwIDAQAB\n" \
    "-----END PUBLIC KEY-----\n"
#define FUZZ_EC_PEM \
    "-----BEGIN PUBLIC KEY-----\n" \
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEKn5ZxguZu/RcAsHAbvt29Yy5MT77\n" \
    "X0Ab9nfM0+yBoDSUzV2p9GPTw992S4DF9zg6y630H8Axo9BQyks6ih1Jdg==\n" \
    "-----END PUBLIC KEY-----\n"
#define FUZZ_TOKEN_HS256 \
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VySWQiOiJhbm4iLCJuYW1lIjoiQW5uIiwicm9sZSI" \
    "6ImN1c3RvbWVyIiwianRpIjoidC0xIiwiaWF0IjoxNjk5OTk5MDAwLCJleHAiOjQwMDAwMDAwMDB9.KD-TG5" \
    "i-om_-w478k01StDsJEy4mFosBbKiB6KIO750"
#define FUZZ_TOKEN_RS256 \
    "eyJhbGciOiJSUzI1NiIsImtpZCI6InIifQ.eyJ1c2VySWQiOiJhbm4iLCJuYW1lIjoiQW5uIiwicm9sZSI6I" \
    "mN1c3RvbWVyIiwianRpIjoidC0xIiwiaWF0IjoxNjk5OTk5MDAwLCJleHAiOjQwMDAwMDAwMDB9.QGh4S3fN" \
    "otB5W5jY7dzw1XalG0vw-S9v8vQfFmBA8-r1PnLtfAbXVjIqYIKQqZmYUAIycQ1U2vRox6DRc0ZI8UzfFJ0v" \
    "pm9S0mbxzrFeZm-waZUxKmb0L8qmvFaZ1Nsgq49wdu-GjdtWbsVcIfN1SS1lW8ku7oFMJjtwprUG13qaknxH" \
    "2rLDh6LEtYrfh82b2-jPnBGcLMj1AY7fl4hQIUunx69bYpbhpNlQAWTb-tvuREl7ziNt2dmxvKBuOSeug7h6" \
    "9W_pAWl6Xw32A8Wp410I51rkCNZYlvNbNYcCQaoAP1z4Mb0bUyeBm-emcM3RwEQAXeCVlMGtI0gVhNKQ7w"
#define FUZZ_TOKEN_ES256 \
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImUifQ.eyJ1c2VySWQiOiJhbm4iLCJuYW1lIjoiQW5uIiwicm9sZSI6I" \
    "mN1c3RvbWVyIiwianRpIjoidC0xIiwiaWF0IjoxNjk5OTk5MDAwLCJleHAiOjQwMDAwMDAwMDB9.d-HX2VjU" \
    "gauXW1MCGT68-HmiTistNR1nFBc7WGZncLnYvMG8oTfP5zJnCLdbDnZ7CgNZo-fkTm0CU-HWH_j0zg"
/* clang-format on */

/* The secret without a name, the RSA key named r, the EC key named e. */
static inline keys_t *fuzz_keys_new(void) {
    strbuf_t problem = {0};
    keys_t *keys = keys_new();
    ASSERT(keys_add_secret(keys, STR(""), STR(FUZZ_SECRET), &problem) == OK);
    ASSERT(keys_add_pem(keys, STR("r"), STR(FUZZ_RSA_PEM), &problem) == OK);
    ASSERT(keys_add_pem(keys, STR("e"), STR(FUZZ_EC_PEM), &problem) == OK);
    return keys;
}
