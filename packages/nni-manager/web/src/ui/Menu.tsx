import { useEffect, useRef, useState } from "preact/hooks";
import { Button, type ButtonProps } from "./Button";
import { Icon, type IconName } from "./Icon";

/** One thing to choose. */
export interface MenuItem {
  label: string;
  icon?: IconName;
  onSelect: () => void;
  disabled?: boolean;
  /** Whether it is the one that holds, for menus that choose one of several. */
  checked?: boolean;
}

/** What a menu is made of. */
export interface MenuProps extends Pick<ButtonProps, "kind" | "icon" | "children" | "disabled"> {
  /** The menu's name, and that of its button when that has only an icon. */
  label: string;
  items: readonly MenuItem[];
}

/** A button that opens a list of things to do; arrow keys move, Escape closes. */
export function Menu({ label, items, children, ...button }: MenuProps) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return;
    focusItem(root.current, 0);
    const closeOutside = (event: Event): void => {
      if (!root.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", closeOutside);
    document.addEventListener("focusin", closeOutside);
    return () => {
      document.removeEventListener("pointerdown", closeOutside);
      document.removeEventListener("focusin", closeOutside);
    };
  }, [open]);
  function close(): void {
    setOpen(false);
    root.current?.querySelector("button")?.focus();
  }
  function move(event: KeyboardEvent): void {
    if (!open) return;
    const at = itemsOf(root.current).indexOf(document.activeElement as HTMLElement);
    if (event.key === "ArrowDown") focusItem(root.current, at + 1);
    else if (event.key === "ArrowUp") focusItem(root.current, at - 1);
    else if (event.key === "Home") focusItem(root.current, 0);
    else if (event.key === "End") focusItem(root.current, -1);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys are for the items in it
    <div class="menu" ref={root} onKeyDown={move}>
      <Button
        {...button}
        label={label}
        aria-haspopup="menu"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        {children}
      </Button>
      {open && (
        <div class="menu-list" role="menu" aria-label={label}>
          {items.map((item) => (
            // biome-ignore lint/a11y/useAriaPropsSupportedByRole: the role with a check mark supports it
            <button
              type="button"
              key={item.label}
              role={item.checked === undefined ? "menuitem" : "menuitemradio"}
              aria-checked={item.checked}
              tabIndex={-1}
              disabled={item.disabled}
              onClick={() => {
                close();
                item.onSelect();
              }}
            >
              {item.icon !== undefined && <Icon name={item.icon} />}
              <span>{item.label}</span>
              {item.checked && <Icon name="check" />}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

function itemsOf(root: HTMLElement | null): HTMLElement[] {
  return [...(root?.querySelectorAll<HTMLElement>(".menu-list button:not(:disabled)") ?? [])];
}

function focusItem(root: HTMLElement | null, at: number): void {
  const items = itemsOf(root);
  items[(at + items.length) % items.length]?.focus();
}
