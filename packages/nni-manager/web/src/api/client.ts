/** The one client of the protocol, in its JSON form, relative to the folder that the page came from. */

import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { signal } from "@preact/signals";
import { ExperimentService } from "../generated/nni_proto/v1/experiment_service_pb";

/** Whether the last call was refused because this browser is not signed in (any more). */
export const signedOut = signal(false);

const noticeSignIn: Interceptor = (next) => async (request) => {
  try {
    const response = await next(request);
    signedOut.value = false;
    return response;
  } catch (error) {
    if (ConnectError.from(error).code === Code.Unauthenticated) signedOut.value = true;
    throw error;
  }
};

const transport = createConnectTransport({
  baseUrl: new URL(".", document.baseURI).href.replace(/\/$/, ""),
  interceptors: [noticeSignIn],
});

/** Makes the calls of ExperimentService. */
export const client = createClient(ExperimentService, transport);

/** Returns what a failed call says, for people. */
export function problemText(error: unknown): string {
  const failure = ConnectError.from(error);
  if (failure.code === Code.Unknown && failure.cause instanceof TypeError) {
    return "the manager does not answer";
  }
  return failure.rawMessage || Code[failure.code];
}

/** Whether a call failed because it was given up. */
export function wasCanceled(error: unknown): boolean {
  return ConnectError.from(error).code === Code.Canceled;
}
