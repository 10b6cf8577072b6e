// SPDX-License-Identifier: MIT
import { startMock } from "./server.mjs";

const { url } = await startMock(Number(process.env.PORT ?? 8081));
console.log(`a made-up service at ${url}`);
