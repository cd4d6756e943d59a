import { AmazonConnectApp, type AppContext } from "@amazon-connect/app";
import { ContactClient } from "@amazon-connect/contact";
import { pause } from "./backoff";

export interface Contact {
  id: string;
  /** Not a chat, a task or an email: only calls have a transcript here. */
  isCall: boolean;
}

const NO_CALLS: readonly unknown[] = ["chat", "task", "email"];
/** If the workspace does not say in this time what a contact is, it may be a call. */
const PATIENCE_MS = 2000;

/**
 * The agent workspace around this page. Its app has the scope PER_CONTACT: the workspace makes one
 * frame for each contact, and shows the one of the contact that the agent selects. If the scope is
 * another one, the page follows the contact that was connected last.
 *
 * @param onContact Is told the contact, and undefined when there is none any more.
 * @param onFailure The workspace does not answer.
 */
export function followWorkspace(
  onContact: (contact: Contact | undefined) => void,
  onFailure: () => void,
): void {
  let current: string | undefined;
  const found = async (id: string) => {
    if (id === current) return;
    current = id;
    const isCall = await isCallOf(contacts, id);
    if (id === current) onContact({ id, isCall });
  };
  const gone = async () => onContact((current = undefined));
  const { provider } = AmazonConnectApp.init({
    onCreate: async ({ context }) => {
      const own = contactOf(context);
      if (own) return void found(own);
      contacts.onConnected(async ({ contactId }) => void found(contactId));
      contacts.onCleared(gone);
    },
    onDestroy: gone,
  });
  const contacts = new ContactClient(provider);
  provider.onStart(async ({ context }) => {
    const own = contactOf(context);
    if (own) void found(own);
  });
  provider.onError(({ key }) => {
    if (key === "workspaceConnectTimeout") onFailure();
  });
}

async function isCallOf(contacts: ContactClient, id: string): Promise<boolean> {
  const asked = contacts.getChannelType(id).then(
    ({ type }) => !NO_CALLS.includes(type),
    () => true,
  );
  return Promise.race([asked, pause(PATIENCE_MS).then(() => true)]);
}

function contactOf(context: AppContext): string | undefined {
  const scope = context.scope ?? context.contactScope;
  return scope?.type === "contact" ? scope.contactId : undefined;
}

