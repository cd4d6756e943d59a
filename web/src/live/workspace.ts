import { AmazonConnectApp, type AppContext } from "@amazon-connect/app";
import { ContactClient } from "@amazon-connect/contact";

/**
 * The agent workspace around this page. Its app has the scope PER_CONTACT: the workspace makes one
 * frame for each contact, and shows the one of the contact that the agent selects. If the scope is
 * another one, the page follows the contact that was connected last.
 *
 * @param onContact Is told the contact's id, and undefined when there is none any more.
 * @param onFailure The workspace does not answer.
 */
export function followWorkspace(
  onContact: (contactId: string | undefined) => void,
  onFailure: () => void,
): void {
  const { provider } = AmazonConnectApp.init({
    onCreate: async ({ context }) => {
      const contacts = new ContactClient(provider);
      const own = contactOf(context);
      if (own) {
        onContact(own);
        return;
      }
      contacts.onConnected(async ({ contactId }) => onContact(contactId));
      contacts.onCleared(async () => onContact(undefined));
    },
    onDestroy: async () => onContact(undefined),
  });
  provider.onStart(async ({ context }) => {
    const own = contactOf(context);
    if (own) onContact(own);
  });
  provider.onError(({ key }) => {
    if (key === "workspaceConnectTimeout") onFailure();
  });
}

function contactOf(context: AppContext): string | undefined {
  const scope = context.scope ?? context.contactScope;
  return scope?.type === "contact" ? scope.contactId : undefined;
}

