import { useData } from 'vitepress';
import { defineComponent, h, onMounted, ref, useId, watch } from 'vue';

/** A diagram: its source until the browser has drawn it, in the colours of the page. */
export const Mermaid = defineComponent({
  props: { source: { type: String, required: true } },
  setup(props) {
    const { isDark } = useData();
    const id = `mermaid-${useId()}`;
    const source = decodeURIComponent(props.source);
    const svg = ref('');
    async function draw() {
      const { default: mermaid } = await import('mermaid');
      mermaid.initialize({ startOnLoad: false, theme: isDark.value ? 'dark' : 'neutral' });
      svg.value = (await mermaid.render(id, source)).svg;
    }
    onMounted(draw);
    watch(isDark, draw);
    return () => (svg.value === '' ? h('pre', source) : h('div', { class: 'mermaid', innerHTML: svg.value }));
  },
});
